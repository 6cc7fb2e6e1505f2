// When a run says that its validation loss is too far above its training loss, and when that ends it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

using Steps = std::vector<std::int64_t>;

/// What a run of 8 steps, validated at every second one, did at its thresholds.
struct Monitored {
  RunSummary summary;
  std::int64_t checkpoint = 0;
  std::vector<double> gaps;  // per cent, of the evaluations in turn
  Steps warned, evaluated;
  Event end;
};

Monitored monitored(const Corpus& corpus, double rate, double warning, std::optional<double> stop) {
  const testing::ScratchFolder scratch;
  CpuDevice device({.threads = 1});
  RunConfig config = test::small_config();
  config.recipe.vocabulary = {.kind = "byte"};
  config.recipe.options = {.steps = 8, .batch = 2, .rate = rate, .validation_share = 0.15};
  config.options = {.eval_every = 2,
                    .gen_every = 0,
                    .save_every = 0,
                    .eval_windows = 2,
                    .divergence_warning = warning,
                    .divergence_stop = stop};
  std::filesystem::create_directories(scratch / "run");
  toy::Run run = toy::Run::begin(scratch / "run", config, corpus, device);
  Monitored m;
  m.summary = run.train();
  m.checkpoint = newest_checkpoint(scratch / "run").checkpoint.step;
  std::vector<double> losses;
  for (const Event& e : read_events(scratch / "run/events.jsonl").events) {
    if (e.at("kind") == "step") losses.push_back(e.at("loss"));
    if (e.at("kind") == "note") m.warned.push_back(e.at("step"));
    if (e.at("kind") == "run_end") m.end = e;
    if (e.at("kind") != "eval" || e.at("name") != "validation") continue;
    const double validation = e.at("loss"), training = (losses.end()[-2] + losses.back()) / 2;
    m.gaps.push_back(100 * (validation - training) / training);
    m.evaluated.push_back(e.at("step"));
  }
  return m;
}

/// Trained on one letter, validated on another: the gap grows with every step.
Corpus two_letters() { return Corpus::texts({std::string(2000, 'a'), std::string(400, 'b')}); }

double just_below(double x) { return std::nextafter(x, 0); }
double just_above(double x) { return std::nextafter(x, INFINITY); }

TEST(Monitor, WarnsAtItsThresholdAndNotBelow) {
  const Corpus corpus = two_letters();
  const Monitored all = monitored(corpus, 1e-2, 1e9, {});
  ASSERT_EQ(all.evaluated, (Steps{2, 4, 6, 8}));
  ASSERT_TRUE(std::ranges::is_sorted(all.gaps) && all.gaps[1] > 0 && all.gaps[1] < all.gaps[2]);
  EXPECT_EQ(all.warned, Steps());
  EXPECT_EQ(monitored(corpus, 1e-2, just_below(all.gaps[1]), {}).warned, (Steps{4, 6, 8}));
  EXPECT_EQ(monitored(corpus, 1e-2, all.gaps[1], {}).warned, (Steps{4, 6, 8}));
  const Monitored above = monitored(corpus, 1e-2, just_above(all.gaps[1]), {});
  EXPECT_EQ(above.warned, (Steps{6, 8}));
  EXPECT_EQ(above.summary.end, RunSummary::End::completed);
  EXPECT_EQ(above.end.at("exit_code"), 0);
}

TEST(Monitor, StopsAtItsThresholdAndNotBelow) {
  const Corpus corpus = two_letters();
  const Monitored all = monitored(corpus, 1e-2, 1e9, {});
  const auto stopped = [&](double limit, double warning) { return monitored(corpus, 1e-2, warning, limit); };
  for (const double limit : {just_below(all.gaps[1]), all.gaps[1]}) {
    const Monitored m = stopped(limit, 1e9);
    EXPECT_EQ(m.summary.end, RunSummary::End::diverged);
    EXPECT_EQ(m.summary.steps, 4);
    EXPECT_EQ(m.checkpoint, 4);
    EXPECT_EQ(m.end.at("reason"), "aborted");
    EXPECT_EQ(m.end.at("exit_code"), 1);
    EXPECT_EQ(m.warned, Steps{4}) << "a stop says so, whatever the warning";
    EXPECT_NE(m.summary.reason.find("(the limit is "), std::string::npos) << m.summary.reason;
  }
  const Monitored above = stopped(just_above(all.gaps[1]), all.gaps[1]);
  EXPECT_EQ(above.summary.steps, 6);
  EXPECT_EQ(above.checkpoint, 6);
  EXPECT_EQ(above.warned, (Steps{4, 6}));
  EXPECT_EQ(stopped(just_above(all.gaps[3]), 1e9).summary.end, RunSummary::End::completed);
}

TEST(Monitor, AGapIsSomethingForAnyLosses) {
  EXPECT_EQ(divergence_gap(3, 2), 50);
  EXPECT_EQ(divergence_gap(1, 2), -50);
  EXPECT_EQ(divergence_gap(0, 0), 0);
  for (const double validation : {double(NAN), double(INFINITY)}) EXPECT_EQ(divergence_gap(validation, 2), INFINITY);
  EXPECT_EQ(divergence_gap(0.1, 0), INFINITY);
}

/// Nothing is learned from one letter, so that both losses are the same number.
TEST(Monitor, NoGapIsAtAThresholdOfZero) {
  const Corpus corpus = Corpus::texts({std::string(3000, 'a')});
  const Monitored at = monitored(corpus, 0, 0, {});
  ASSERT_EQ(at.gaps, std::vector<double>(4, 0.0));
  EXPECT_EQ(at.warned, at.evaluated);
  constexpr double least = std::numeric_limits<double>::min();
  const Monitored below = monitored(corpus, 0, least, least);
  EXPECT_EQ(below.warned, Steps());
  EXPECT_EQ(below.summary.end, RunSummary::End::completed);
}

}  // namespace
}  // namespace toy

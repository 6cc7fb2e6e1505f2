#include "toy/train/run_compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/io/scratch.h"
#include "tests/train/small_run.h"

namespace toy::testing {
namespace {

using ::testing::IsEmpty;

RunComparison compared(const SmallRun& run, const SmallRun& baseline) {
  const ScratchFolder folder;
  write_run(folder / "a", run);
  write_run(folder / "b", baseline);
  return compare(RunLog::read(folder / "a"), RunLog::read(folder / "b"));
}

TEST(Compare, NamesTheHyperparametersThatDiffer) {
  EXPECT_THAT(compared({}, {}).differences, IsEmpty());
  const auto differences = compared({.lr = 2e-3}, {}).differences;
  ASSERT_EQ(differences.size(), 1U);
  EXPECT_EQ(differences[0].name, "config.optimizer.lr");
  EXPECT_EQ(differences[0].run, 2e-3);
  EXPECT_EQ(differences[0].baseline, 1e-3);
}

TEST(Compare, JudgesByTheLastSharedEvaluation) {
  const RunComparison c =
      compared({.losses = {9, 9}, .evals = {3, 2.5, 2}}, {.losses = {1, 1}, .evals = {3, 2.75}, .wall_us = 500});
  EXPECT_EQ(c.basis, "validation loss at step 20");
  EXPECT_EQ(c.loss_delta, -0.25);
  EXPECT_NEAR(c.ppl_ratio, 0.7788007830714049, 1e-12);
  EXPECT_EQ(c.verdict, Verdict::ahead);
  EXPECT_NEAR(c.speed_ratio, 0.5, 1e-12);
  EXPECT_EQ(c.evaluations.size(), 2U);
}

TEST(Compare, TakesTheEvaluationThatBothHaveLatest) {
  const SmallRun longer{.evals = {3, 2, 1}, .whole_eval = 0.5}, shorter{.evals = {3, 2.5}, .whole_eval = 2};
  EXPECT_EQ(compared(longer, shorter).basis, "validation loss at step 20");
  EXPECT_EQ(compared(longer, longer).basis, "validation_whole loss at step 30");

  const ScratchFolder folder;
  write_run(folder / "a", {.evals = {3, 2}});
  std::ofstream(folder / "a/events.jsonl", std::ios::app)
      << R"({"kind":"eval","t":9,"step":10,"name":"zebras","loss":1})"
      << "\n";
  const RunLog run = RunLog::read(folder / "a");
  EXPECT_EQ(compare(run, run).basis, "validation loss at step 20");
}

TEST(Compare, ElseByTheLastTrainingLosses) {
  std::vector<double> run(25, 2.0), baseline(20, 1.0);
  baseline[0] = 100;  // not among the last 10
  const RunComparison c = compared({.losses = run}, {.losses = baseline});
  EXPECT_EQ(c.basis, "mean training loss of steps 11 to 20");
  EXPECT_NEAR(c.loss_delta, 1, 1e-12);
  EXPECT_EQ(c.verdict, Verdict::behind);
  ASSERT_EQ(c.losses.size(), 10U);
  EXPECT_EQ(c.losses.front().step, 2U);
  EXPECT_EQ(c.losses.back().step, 20U);
}

TEST(Compare, SaysWhatMakesLossesPoorToCompare) {
  const ScratchFolder folder;
  const auto log = [&](const char* name, const Event& config, int vocabulary) {
    std::filesystem::create_directories(folder / name);
    Event start = run_start({}, name);
    start["model"]["vocab"] = vocabulary;
    start["config"] = config;
    EventWriter(folder / name / "events.jsonl").write(start);
    return RunLog::read(folder / name);
  };
  const auto config = [](const char* corpus, int seed, const char* kind) {
    return Event{{"corpus", *corpus == 0 ? Event::array() : Event::array({corpus})},
                 {"training", {{"seed", seed}}},
                 {"vocabulary", {{"kind", kind}}}};
  };
  const RunLog base = log("a", config("x", 1, "byte"), 259), stories = log("b", config("", 1, "byte"), 259);
  EXPECT_EQ(compare(base, log("c", config("x", 2, "byte"), 259)).caution, "");
  EXPECT_EQ(compare(base, log("d", config("y", 1, "byte"), 259)).caution, "other texts are named");
  EXPECT_EQ(compare(stories, log("e", config("", 2, "byte"), 259)).caution, "other texts are named");
  EXPECT_EQ(compare(base, log("f", config("x", 1, "char"), 259)).caution, "other vocabularies are named");
  EXPECT_EQ(compare(base, log("g", config("x", 1, "byte"), 300)).caution,
            "the vocabularies differ, and with them what a token is");
}

TEST(Compare, WithoutASharedStepThereIsNoVerdictButPar) {
  const RunComparison c = compared({.losses = {}}, {});
  EXPECT_EQ(c.basis, "");
  EXPECT_TRUE(std::isnan(c.loss_delta));
  EXPECT_TRUE(std::isnan(c.speed_ratio));
}

TEST(Verdict, IsParWithinOnePercentOfPerplexity) {
  EXPECT_EQ(verdict_of(2 + std::log(1.0099), 2), Verdict::par);
  EXPECT_EQ(verdict_of(2 + std::log(1.0101), 2), Verdict::behind);
  EXPECT_EQ(verdict_of(2 + std::log(0.9901), 2), Verdict::par);
  EXPECT_EQ(verdict_of(2 + std::log(0.9899), 2), Verdict::ahead);
  EXPECT_EQ(verdict_of(NAN, 2), Verdict::behind);
  EXPECT_EQ(verdict_of(2, INFINITY), Verdict::ahead);
  EXPECT_EQ(verdict_of(NAN, NAN), Verdict::par);
}

}  // namespace
}  // namespace toy::testing

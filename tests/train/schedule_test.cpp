// The learning rates of runs that were stopped and went on.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <stop_token>

#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

namespace fs = std::filesystem;

constexpr double peak = 3e-3, least = 2e-4;
constexpr std::int64_t warmup = 3;

RunConfig cosine_config(std::int64_t steps) {
  RunConfig config = test::small_config();
  config.recipe.options = {
      .steps = steps, .batch = 2, .rate = peak, .warmup = warmup, .cosine = true, .least_rate = least};
  config.options.eval_every = config.options.gen_every = config.options.save_every = 0;
  return config;
}

/// The rate of a step, counted from 1: up a line that begins above 0, then half a cosine that ends after `total` steps.
double expected_rate(std::int64_t step, std::int64_t total) {
  const auto done = static_cast<double>(step - 1), w = static_cast<double>(warmup);
  if (step <= warmup) return peak * (done + 1) / (w + 1);
  const double angle = std::numbers::pi * (done - w) / (static_cast<double>(total) - w);
  return (peak + least) / 2 + (peak - least) / 2 * std::cos(angle);
}

/// Of the steps in the log, in turn.
std::vector<double> logged_rates(const fs::path& run) {
  std::vector<double> rates;
  for (const Event& e : read_events(run / "events.jsonl").events) {
    if (e.at("kind") == "step") rates.push_back(e.at("lr"));
  }
  return rates;
}

void begin_and_stop(const fs::path& folder, const RunConfig& config, std::int64_t at) {
  CpuDevice device({.threads = 1});
  toy::Run run = test::begin_run(folder, config, device);
  std::stop_source stop;
  RunObserver observer;
  observer.step = [&](const StepResult& r, double) {
    if (r.step == at) stop.request_stop();
  };
  EXPECT_EQ(run.train(observer, stop.get_token()).steps, at);
}

void go_on(const fs::path& folder, const std::function<void(RunConfig&)>& change) {
  CpuDevice device({.threads = 1});
  toy::Run run = toy::Run::resume(folder, device, change);
  EXPECT_EQ(run.train().end, RunSummary::End::completed);
}

TEST(ScheduleOfARun, IsTheSameWhereverItWasStopped) {
  constexpr std::int64_t total = 12;
  const testing::ScratchFolder scratch;
  begin_and_stop(scratch / "straight", cosine_config(total), total);
  const std::vector<double> straight = logged_rates(scratch / "straight");
  ASSERT_EQ(straight.size(), 12U);
  for (std::int64_t step = 1; step <= total; ++step) {
    EXPECT_NEAR(straight[static_cast<std::size_t>(step - 1)], expected_rate(step, total), 1e-15) << step;
  }
  for (const std::int64_t at : {2, 6}) {
    const fs::path folder = scratch / ("stopped" + std::to_string(at));
    begin_and_stop(folder, cosine_config(total), at);
    go_on(folder, {});
    EXPECT_EQ(logged_rates(folder), straight) << at;
  }
}

/// The rates of the steps that were done stay; the others are those of the new total.
TEST(ScheduleOfARun, FollowsANewTotal) {
  const testing::ScratchFolder scratch;
  begin_and_stop(scratch / "run", cosine_config(6), 6);
  go_on(scratch / "run", [](RunConfig& c) { c.recipe.options.steps = 12; });
  const std::vector<double> rates = logged_rates(scratch / "run");
  ASSERT_EQ(rates.size(), 12U);
  for (std::int64_t step = 1; step <= 12; ++step) {
    EXPECT_NEAR(rates[static_cast<std::size_t>(step - 1)], expected_rate(step, step <= 6 ? 6 : 12), 1e-15) << step;
  }
  EXPECT_GT(rates[6], rates[5]);
}

}  // namespace
}  // namespace toy

// Whatever happens while it is written, the newest complete checkpoint loads and the run ends with the same bytes.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/random.h"

#include "tests/io/failing_calls.h"
#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

namespace fs = std::filesystem;

RunConfig torture_config() {
  RunConfig config = test::small_config();
  config.recipe.options.steps = 8;
  config.options.save_every = 2;
  return config;
}

test::Outcome straight_outcome(const fs::path& folder, const RunConfig& config) {
  CpuDevice device({.threads = 1});
  toy::Run run = test::begin_run(folder, config, device);
  (void)run.train();
  return test::outcome_of(folder);
}

/// Every line of the log but the last is whole, and the newest complete checkpoint can be read.
void expect_sound(const fs::path& folder, std::int64_t least_step) {
  const std::string log = testing::read_bytes(folder / "events.jsonl");
  const ReadEvents events = read_events(folder / "events.jsonl");
  EXPECT_LE(events.skipped_lines, log.empty() || log.back() == '\n' ? 0U : 1U);
  const FoundCheckpoint found = newest_checkpoint(folder);
  EXPECT_TRUE(found.skipped.empty()) << found.skipped.front();
  EXPECT_GE(found.checkpoint.step, least_step);
}

class Torture : public ::testing::TestWithParam<bool> {};

/// Each write, fsync, rename fails once in turn (or from then on): the error is told, nothing is lost.
TEST_P(Torture, EachCallFailsInTurn) {
  const bool for_ever = GetParam();
  constexpr std::size_t piece = 2000;  // bytes that a write takes, so that one is cut short at every length
  const testing::ScratchFolder scratch;
  const RunConfig config = torture_config();
  const test::Outcome straight = straight_outcome(scratch / "straight", config);
  CpuDevice device({.threads = 1});
  int calls_in_all = 0;
  {
    testing::CallPlan plan{.failing = -1, .most = piece};
    toy::Run run = test::begin_run(scratch / "counted", config, device, testing::planned(plan));
    (void)run.train();
    calls_in_all = plan.calls;
  }
  ASSERT_GT(calls_in_all, 20);
  Random random(7);
  const auto stride = static_cast<std::uint64_t>(std::max(1, calls_in_all / 20));  // about 40 places of all
  for (int failing = 0; failing < calls_in_all; failing += 1 + static_cast<int>(random.below(stride))) {
    const fs::path folder = scratch / ("failing" + std::to_string(failing));
    testing::CallPlan plan{.failing = failing, .reason = ENOSPC, .for_ever = for_ever, .most = piece};
    std::int64_t saved = 0;
    try {
      toy::Run run = test::begin_run(folder, config, device, testing::planned(plan));
      RunObserver observer;
      observer.saved = [&](std::int64_t step, const fs::path&) { saved = step; };
      (void)run.train(observer);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
    }
    if (checkpoint_steps(folder).empty()) {
      EXPECT_EQ(saved, 0) << failing;
      continue;
    }
    expect_sound(folder, saved);
    toy::Run run = toy::Run::resume(folder, device);
    (void)run.train();
    EXPECT_EQ(test::outcome_of(folder), straight) << "call " << failing;
    fs::remove_all(folder);
  }
}

INSTANTIATE_TEST_SUITE_P(Once, Torture, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(FromThenOn, Torture, ::testing::Values(true));

/// Trains in a child process, which a signal that nothing can catch ends after `milliseconds`. True: it was done.
bool train_and_kill(const fs::path& folder, const RunConfig& config, int milliseconds) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      CpuDevice device({.threads = 1});
      if (checkpoint_steps(folder).empty()) {
        fs::remove_all(folder);
        toy::Run run = test::begin_run(folder, config, device);
        (void)run.train();
      } else {
        toy::Run run = toy::Run::resume(folder, device);
        (void)run.train();
      }
      ::_exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) != 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// TOY_KILLS says how often; 20 unless it is set.
TEST(Torture, KilledAtRandomMoments) {
  const char* wanted = std::getenv("TOY_KILLS");
  const int kills = wanted == nullptr ? 20 : std::atoi(wanted);
  const testing::ScratchFolder scratch;
  const fs::path folder = scratch / "run";
  RunConfig config = torture_config();
  config.recipe.options.steps = 6;
  config.options.save_every = 1;
  const test::Outcome straight = straight_outcome(scratch / "straight", config);
  Random random(11);
  std::int64_t last = 0;
  for (int killed = 0; killed < kills;) {
    if (train_and_kill(folder, config, static_cast<int>(random.below(150)))) {
      EXPECT_EQ(test::outcome_of(folder), straight);
      fs::remove_all(folder);
      last = 0;
      continue;
    }
    ++killed;
    const auto steps = checkpoint_steps(folder);
    if (steps.empty()) continue;
    expect_sound(folder, last);
    last = steps.back();
  }
  if (checkpoint_steps(folder).empty()) return;
  CpuDevice device({.threads = 1});
  {
    toy::Run run = toy::Run::resume(folder, device);
    (void)run.train();
  }
  EXPECT_EQ(test::outcome_of(folder), straight);
}

TEST(Torture, AFolderThatCannotBeWritten) {
  CpuDevice device({.threads = 1});
  // Not even root can make files in /proc.
  EXPECT_THROW((void)toy::Run::begin("/proc/self", torture_config(), test::small_corpus(), device), Error);
  const testing::ScratchFolder scratch;
  {
    toy::Run run = test::begin_run(scratch / "run", torture_config(), device);
    (void)run.train();
  }
  const test::Outcome before = test::outcome_of(scratch / "run");
  fs::permissions(scratch / "run/events.jsonl", fs::perms::owner_read);
  fs::permissions(scratch / "run", fs::perms::owner_read | fs::perms::owner_exec);
  if (::geteuid() != 0) {
    EXPECT_THROW((void)toy::Run::resume(scratch / "run", device), Error);
  }
  fs::permissions(scratch / "run", fs::perms::owner_all);
  EXPECT_EQ(test::outcome_of(scratch / "run"), before);
}

}  // namespace
}  // namespace toy

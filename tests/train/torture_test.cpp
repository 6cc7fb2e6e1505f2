// Whatever happens while it is written, the newest complete checkpoint loads and the run ends with the same bytes.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <stop_token>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/random.h"

#include "tests/io/failing_calls.h"
#include "tests/io/scratch.h"
#include "tests/train/nobody.h"
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

bool has_checkpoint(const fs::path& run) { return fs::exists(run) && !checkpoint_steps(run).empty(); }

/// Every line of the log but the last is whole, and the newest complete checkpoint can be read.
void expect_sound(const fs::path& folder, std::int64_t least_step) {
  const std::string log = testing::read_bytes(folder / "events.jsonl");
  const ReadEvents events = read_events(folder / "events.jsonl");
  EXPECT_LE(events.skipped_lines, log.empty() || log.back() == '\n' ? 0U : 1U);
  const FoundCheckpoint found = newest_checkpoint(folder);
  EXPECT_TRUE(found.skipped.empty()) << found.skipped.front();
  EXPECT_GE(found.checkpoint.step, least_step);
}

class Torture : public ::testing::TestWithParam<bool> {
 protected:
  /// The plan of a run whose call number `failing` fails, alone or with all that follow. A write takes few bytes, so
  /// that one is cut short at every length.
  static testing::CallPlan plan(int failing) {
    return {.failing = failing, .reason = ENOSPC, .for_ever = GetParam(), .most = 2000};
  }
  /// The calls to let fail: about 40 spread over the run; all if TOY_TORTURE is "all".
  static std::vector<int> places(int calls_in_all) {
    const char* wanted = std::getenv("TOY_TORTURE");
    const bool all = wanted != nullptr && std::string_view(wanted) == "all";
    const auto stride = static_cast<std::uint64_t>(all ? 1 : std::max(1, calls_in_all / 20));
    Random random(7);
    std::vector<int> found;
    for (int at = 0; at < calls_in_all; at += 1 + static_cast<int>(random.below(stride))) found.push_back(at);
    EXPECT_GE(found.size(), all ? static_cast<std::size_t>(calls_in_all) : 20U);
    RecordProperty("calls", calls_in_all);
    RecordProperty("places", static_cast<int>(found.size()));
    return found;
  }
};

/// Each write, fsync, rename fails once in turn (or from then on): the error is told, nothing is lost.
TEST_P(Torture, EachCallFailsInTurn) {
  const testing::ScratchFolder scratch;
  const RunConfig config = torture_config();
  const test::Outcome straight = straight_outcome(scratch / "straight", config);
  CpuDevice device({.threads = 1});
  testing::CallPlan counted = plan(-1);
  {
    toy::Run run = test::begin_run(scratch / "counted", config, device, testing::planned(counted));
    (void)run.train();
  }
  for (const int failing : places(counted.calls)) {
    const fs::path folder = scratch / ("failing" + std::to_string(failing));
    testing::CallPlan failure = plan(failing);
    std::int64_t saved = 0;
    try {
      toy::Run run = test::begin_run(folder, config, device, testing::planned(failure));
      RunObserver observer;
      observer.saved = [&](std::int64_t step, const fs::path&) { saved = step; };
      (void)run.train(observer);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
    }
    if (!has_checkpoint(folder)) {
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

/// The same of a run that goes on after its fourth step.
TEST_P(Torture, EachCallOfAResumptionFailsInTurn) {
  const testing::ScratchFolder scratch;
  const RunConfig config = torture_config();
  const test::Outcome straight = straight_outcome(scratch / "straight", config);
  CpuDevice device({.threads = 1});
  {
    std::stop_source stop;
    RunObserver observer;
    observer.saved = [&](std::int64_t step, const fs::path&) { (void)(step == 4 && stop.request_stop()); };
    toy::Run run = test::begin_run(scratch / "stopped", config, device);
    EXPECT_EQ(run.train(observer, stop.get_token()).steps, 4);
  }
  const auto go_on = [&](const fs::path& folder, testing::CallPlan& with) {
    fs::copy(scratch / "stopped", folder, fs::copy_options::recursive);
    toy::Run run = toy::Run::resume(folder, device, {}, testing::planned(with));
    (void)run.train();
  };
  testing::CallPlan counted = plan(-1);
  go_on(scratch / "counted", counted);
  for (const int failing : places(counted.calls)) {
    const fs::path folder = scratch / ("failing" + std::to_string(failing));
    testing::CallPlan failure = plan(failing);
    const std::string message = test::error_of([&] { go_on(folder, failure); });
    EXPECT_TRUE(message == "no error" || message.find("No space left") != std::string::npos) << message;
    expect_sound(folder, 4);
    toy::Run run = toy::Run::resume(folder, device);
    (void)run.train();
    EXPECT_EQ(test::outcome_of(folder), straight) << "call " << failing << ": " << message;
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
      if (!has_checkpoint(folder)) {
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
    if (!fs::exists(folder)) continue;  // killed before it was made
    const auto steps = checkpoint_steps(folder);
    if (steps.empty()) continue;
    expect_sound(folder, last);
    last = steps.back();
  }
  if (!has_checkpoint(folder)) return;
  CpuDevice device({.threads = 1});
  {
    toy::Run run = toy::Run::resume(folder, device);
    (void)run.train();
  }
  EXPECT_EQ(test::outcome_of(folder), straight);
}

/// What a folder holds: the bytes of each file by its path.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    files[entry.path().string()] = entry.is_regular_file() ? testing::read_bytes(entry.path()) : "a folder";
  }
  return files;
}

constexpr fs::perms readable = fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read;
constexpr fs::perms open_to_all = readable | fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;

/// Gives everybody the right to write to everything in `folder`, or takes it from everybody.
void set_writable(const fs::path& folder, bool writable) {
  using fs::perms;
  const perms write = writable ? perms::owner_write | perms::group_write | perms::others_write : perms::none;
  fs::permissions(folder, open_to_all | write);
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    fs::permissions(entry.path(), (entry.is_directory() ? open_to_all : readable) | write);
  }
}

/// The message of the error that f throws without the rights of root.
std::string error_of_nobody(const std::function<void()>& f) {
  return testing::answer_of_nobody([&] { return test::error_of(f); });
}

void expect_denied(const std::string& message, const fs::path& path) {
  EXPECT_NE(message.find(path.string()), std::string::npos) << message;
  EXPECT_NE(message.find("Permission denied"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

void resume_to_ten(const fs::path& folder) {
  CpuDevice device({.threads = 1});
  toy::Run run = toy::Run::resume(folder, device, [](RunConfig& c) { c.recipe.options.steps = 10; });
  (void)run.train();
}

TEST(Torture, AFolderThatCannotBeWritten) {
  CpuDevice device({.threads = 1});
  // Not even root can make files in /proc.
  EXPECT_THROW((void)toy::Run::begin("/proc/self", torture_config(), test::small_corpus(), device), Error);
  const testing::ScratchFolder scratch;
  fs::permissions(scratch.path(), open_to_all, fs::perm_options::add);
  const auto begin = [&] { (void)toy::Run::begin(scratch / "new", torture_config(), test::small_corpus(), device); };
  fs::create_directories(scratch / "new");
  (void)straight_outcome(scratch / "run", torture_config());
  const auto before = contents(scratch.path());
  for (const char* folder : {"new", "run"}) set_writable(scratch / folder, false);
  expect_denied(error_of_nobody(begin), scratch / "new/events.jsonl");
  expect_denied(error_of_nobody([&] { resume_to_ten(scratch / "run"); }), scratch / "run/events.jsonl");
  EXPECT_EQ(contents(scratch.path()), before);
  for (const char* folder : {"new", "run"}) set_writable(scratch / folder, true);
  EXPECT_EQ(contents(scratch.path()), before);
  begin();
  resume_to_ten(scratch / "run");
  EXPECT_EQ(newest_checkpoint(scratch / "run").checkpoint.step, 10);
}

TEST(Torture, APartThatCannotBeWritten) {
  const testing::ScratchFolder scratch;
  fs::permissions(scratch.path(), open_to_all, fs::perm_options::add);
  (void)straight_outcome(scratch / "run", torture_config());
  fs::copy(scratch / "run", scratch / "whole", fs::copy_options::recursive);
  resume_to_ten(scratch / "whole");
  const test::Outcome expected = test::outcome_of(scratch / "whole");
  for (const char* denied : {"config.json", "weights/step-10.gguf", "state/step-10.gguf"}) {
    const fs::path folder = scratch / "failing";
    fs::copy(scratch / "run", folder, fs::copy_options::recursive);
    set_writable(folder, true);
    fs::permissions((folder / denied).parent_path(), open_to_all);
    expect_denied(error_of_nobody([&] { resume_to_ten(folder); }), folder / denied);
    expect_sound(folder, 8);
    set_writable(folder, true);
    resume_to_ten(folder);
    EXPECT_EQ(test::outcome_of(folder), expected) << denied;
    fs::remove_all(folder);
  }
}

}  // namespace
}  // namespace toy

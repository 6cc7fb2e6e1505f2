// Resuming a run whose folder somebody else has filled: nothing outside of it is read, written or removed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <stop_token>
#include <sys/stat.h>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/train/branch.h"
#include "toy/train/run_log.h"

#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// Everything below a folder and its bytes; links are not followed.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const bool link = entry.is_symlink();
    files[entry.path().string()] = link                      ? "-> " + fs::read_symlink(entry.path()).string()
                                   : entry.is_regular_file() ? testing::read_bytes(entry.path())
                                                             : "";
  }
  return files;
}

class HostileRun : public ::testing::Test {
 protected:
  HostileRun() {
    train("victim");
    train("run");
    fs::create_directory(outside_);
    testing::write_bytes(outside_ / "rc", "alias ll='ls -l'\n");
  }
  void train(const std::string& name) {
    toy::Run run = test::begin_run(scratch_ / name, config_, device_);
    std::stop_source stop;
    RunObserver observer;
    observer.step = [&](const StepResult& r, double) {
      if (r.step == 8) stop.request_stop();
    };
    (void)run.train(observer, stop.get_token());
  }
  std::string resume() {
    return test::error_of([&] {
      toy::Run run = toy::Run::resume(run_, device_);
      (void)run.train();
    });
  }
  /// What lies outside of the run stays as it is while the run is resumed.
  void expect_kept_outside(const std::string& what) {
    const auto victim = contents(scratch_ / "victim"), other = contents(outside_);
    std::string error;
    ASSERT_NO_THROW(error = resume()) << what;
    EXPECT_EQ(contents(scratch_ / "victim"), victim) << what;
    EXPECT_EQ(contents(outside_), other) << what;
    EXPECT_THAT(error, HasSubstr(what));
  }

  testing::ScratchFolder scratch_;
  fs::path run_ = scratch_ / "run", outside_ = scratch_ / "outside";
  RunConfig config_ = test::small_config();
  CpuDevice device_{{.threads = 1}};
};

constexpr const char* not_followed = "links are not followed";

TEST_F(HostileRun, ALinkedLogIsNotWritten) {
  fs::remove(run_ / log_file);
  fs::create_symlink(outside_ / "rc", run_ / log_file);
  expect_kept_outside(not_followed);
  fs::remove(run_ / log_file);
  fs::create_symlink(outside_ / "new", run_ / log_file);
  expect_kept_outside(not_followed);
  EXPECT_FALSE(fs::exists(outside_ / "new"));
}

TEST_F(HostileRun, ALogWithASecondNameIsNotCut) {
  fs::remove(run_ / log_file);
  fs::create_hard_link(outside_ / "rc", run_ / log_file);
  expect_kept_outside("hard link");
}

TEST_F(HostileRun, LinkedFoldersAreNotTidied) {
  fs::remove(scratch_ / "victim/state/step-4.json");  // its parts look like what a crash left
  for (const char* part : {"weights", "state", "data"}) {
    const fs::path kept = scratch_ / "aside";
    fs::rename(run_ / part, kept);
    fs::create_directory_symlink(scratch_ / "victim" / part, run_ / part);
    expect_kept_outside(not_followed);
    fs::remove(run_ / part);
    fs::rename(kept, run_ / part);
  }
  EXPECT_EQ(resume(), "no error");
}

TEST_F(HostileRun, LinkedFilesAreNotRead) {
  for (const char* file :
       {"config.json", "data/tokens.bin", "weights/step-8.gguf", "state/step-8.gguf", "state/step-8.json"}) {
    const fs::path kept = scratch_ / "aside", named = run_ / file;
    fs::copy_file(named, kept, fs::copy_options::overwrite_existing);
    fs::remove(named);
    fs::create_symlink(kept, named);
    const std::string error = test::error_of([&] {
      const Folder run = run_;
      (void)read_config(run);
      (void)open_checkpoint(run, 8);
    });
    EXPECT_THAT(error, HasSubstr(not_followed)) << file;
    expect_kept_outside("");
    fs::remove(named);
    fs::copy_file(kept, named);
  }
}

TEST_F(HostileRun, AFileOfAStepThatWasNeverReachedStays) {
  testing::write_bytes(run_ / "weights/step-900.gguf", "somebody's own");
  testing::write_bytes(run_ / "weights/.toy-notes.tmp", "somebody's own");
  testing::write_bytes(run_ / "weights/step-7.gguf", "what a crash left");
  testing::write_bytes(run_ / "weights/.toy-0123456789abcdef.tmp", "what a crash left");
  EXPECT_EQ(resume(), "no error");
  EXPECT_TRUE(fs::exists(run_ / "weights/step-900.gguf"));
  EXPECT_TRUE(fs::exists(run_ / "weights/.toy-notes.tmp"));
  EXPECT_FALSE(fs::exists(run_ / "weights/step-7.gguf"));
  EXPECT_FALSE(fs::exists(run_ / "weights/.toy-0123456789abcdef.tmp"));
}

TEST_F(HostileRun, ANewRunDoesNotFollowLinksThatAreThere) {
  const fs::path begun = scratch_ / "begun";
  fs::create_directory(begun);
  fs::create_directory_symlink(outside_, begun / "data");
  const auto before = contents(outside_);
  EXPECT_THAT(test::error_of([&] { (void)test::begin_run(begun, config_, device_); }), HasSubstr(not_followed));
  EXPECT_EQ(contents(outside_), before);
}

TEST_F(HostileRun, ABranchDoesNotCopyThroughLinks) {
  fs::remove(run_ / "flow.json");
  fs::create_symlink(outside_ / "rc", run_ / "flow.json");
  fs::create_directory(scratch_ / "branch");
  EXPECT_THAT(test::error_of([&] { branch_run(run_, 8, scratch_ / "branch"); }), HasSubstr(not_followed));
}

TEST_F(HostileRun, ARunFolderThatIsRemovedEndsTheTraining) {
  toy::Run run = toy::Run::resume(run_, device_);
  RunObserver observer;
  observer.step = [&](const StepResult&, double) { fs::remove_all(run_); };
  EXPECT_THAT(test::error_of([&] { (void)run.train(observer); }), HasSubstr("removed while it was being written"));
  EXPECT_FALSE(fs::exists(run_)) << "nothing of it is made again";
}

TEST_F(HostileRun, ARunFolderThatIsRenamedGoesWithTheTraining) {
  toy::Run run = toy::Run::resume(run_, device_);
  RunObserver observer;
  observer.step = [&](const StepResult& r, double) {
    if (r.step == 9) fs::rename(run_, scratch_ / "renamed");
  };
  (void)run.train(observer);
  EXPECT_FALSE(fs::exists(run_));
  EXPECT_EQ(newest_checkpoint(scratch_ / "renamed").checkpoint.step, 12);
  EXPECT_EQ(RunLog::read(scratch_ / "renamed").state(), RunState::completed);
}

}  // namespace
}  // namespace toy

// A run that begins at an older checkpoint of another one.
#include "toy/train/branch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/train/run_log.h"

#include "tests/io/failing_calls.h"
#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Branch : public ::testing::Test {
 protected:
  Branch() {
    toy::Run run = test::begin_run(origin_, test::small_config(), device_);
    (void)run.train();
    before_ = contents();
    fs::create_directories(folder_);
  }

  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(origin_)) {
      files[entry.path().string()] = entry.is_regular_file() ? testing::read_bytes(entry.path()) : "";
    }
    return files;
  }

  void train_to_the_same_end() {
    {
      toy::Run run = toy::Run::resume(folder_, device_);
      EXPECT_EQ(run.training().steps(), 4);
      (void)run.train();
    }
    const test::Outcome a = test::outcome_of(origin_);
    test::Outcome b = test::outcome_of(folder_);
    EXPECT_EQ(a.weights, b.weights);
    EXPECT_EQ(a.state, b.state);
    std::erase_if(b.log, [](const std::string& line) { return line.find("after step 4 of origin") != line.npos; });
    EXPECT_EQ(a.log, b.log);
  }

  testing::ScratchFolder scratch_;
  fs::path origin_ = scratch_ / "origin", folder_ = scratch_ / "branch";
  CpuDevice device_{{.threads = 1}};
  std::map<std::string, std::string> before_;
};

TEST_F(Branch, EndsAsItsOriginAndLeavesItAlone) {
  branch_run(origin_, 4, folder_);
  train_to_the_same_end();
  EXPECT_EQ(contents(), before_);
  const RunLog log = RunLog::read(folder_);
  EXPECT_EQ(log.start().at("run_id"), "branch");
  EXPECT_THAT(log.notes(), ElementsAre("this run begins after step 4 of origin"));
  EXPECT_THAT(validate_log(folder_ / "events.jsonl"), IsEmpty());
  EXPECT_EQ(checkpoint_steps(folder_), (std::vector<std::int64_t>{4, 8, 12}));
}

TEST_F(Branch, OfARunThatIsTrainedMeanwhile) {
  const toy::Run trained = toy::Run::resume(origin_, device_);
  branch_run(origin_, 4, folder_);
  (void)toy::Run::resume(folder_, device_);
}

TEST_F(Branch, CarriesWhatTheLogOfItsOriginLacks) {
  fs::resize_file(origin_ / "events.jsonl", testing::read_bytes(origin_ / "events.jsonl").find("\"step\":3,"));
  branch_run(origin_, 4, folder_);
  (void)toy::Run::resume(folder_, device_);
  EXPECT_THAT(RunLog::read(folder_).notes(), ElementsAre(HasSubstr("steps 3 to 4 is missing"), HasSubstr("of origin")));
  fs::remove(origin_ / "events.jsonl");
  fs::create_directories(scratch_ / "other");
  branch_run(origin_, 4, scratch_ / "other");
  EXPECT_THAT(toy::Run::resume(scratch_ / "other", device_).notes(), ElementsAre(HasSubstr("the log was missing")));
}

TEST_F(Branch, OfADamagedCheckpointIsRefused) {
  fs::resize_file(origin_ / "state/step-4.gguf", 100);
  EXPECT_THAT(test::error_of([&] { branch_run(origin_, 4, folder_); }), HasSubstr("state/step-4.gguf"));
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Branch, WhatCannotBeReadIsNotPassedOver) {
  for (const char* file : {"events.jsonl", "flow.json"}) {
    const std::string bytes = testing::read_bytes(origin_ / file);
    fs::remove(origin_ / file);
    fs::create_symlink(file, origin_ / file);
    EXPECT_THAT(test::error_of([&] { branch_run(origin_, 4, folder_); }), HasSubstr(file));
    fs::remove(origin_ / file);
    testing::write_bytes(origin_ / file, bytes);
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
}

/// Wherever it ends: the origin is as it was, and the new folder is a whole run or none that could be resumed.
TEST_F(Branch, EachCallFailsInTurn) {
  for (int failing = 0;; ++failing) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    testing::CallPlan plan{.failing = failing, .reason = EIO, .for_ever = true};
    const std::string error = test::error_of([&] { branch_run(origin_, 4, folder_, testing::planned(plan)); });
    EXPECT_EQ(contents(), before_) << failing;
    if (plan.calls <= failing) break;
    EXPECT_THAT(error, HasSubstr("Input/output error")) << failing;
    if (checkpoint_steps(folder_).empty()) continue;
    train_to_the_same_end();
  }
  train_to_the_same_end();
}

}  // namespace
}  // namespace toy

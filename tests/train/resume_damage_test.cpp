// Resuming a run whose files were damaged: nothing good is lost, and a refusal changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <stop_token>
#include <sys/stat.h>

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

class ResumeDamage : public ::testing::Test {
 protected:
  ResumeDamage() {
    {
      toy::Run run = test::begin_run(scratch_ / "straight", config_, device_);
      (void)run.train();
    }
    straight_ = test::outcome_of(scratch_ / "straight");
    toy::Run run = test::begin_run(folder_, config_, device_);
    std::stop_source stop;
    RunObserver observer;
    observer.step = [&](const StepResult& r, double) {
      if (r.step == 8) stop.request_stop();
    };
    (void)run.train(observer, stop.get_token());
    log_ = testing::read_bytes(events_);
  }

  /// Resumes, trains to the end, and returns what resuming noticed.
  std::vector<std::string> resume() {
    toy::Run run = toy::Run::resume(folder_, device_);
    auto notes = run.notes();
    (void)run.train();
    const test::Outcome found = test::outcome_of(folder_);
    EXPECT_EQ(found.weights, straight_.weights);
    EXPECT_EQ(found.state, straight_.state);
    return notes;
  }

  /// Steps of the training in the log.
  std::vector<std::uint64_t> steps() const {
    std::vector<std::uint64_t> steps;
    const RunLog log = RunLog::read(folder_);
    for (const StepRecord& s : log.steps()) steps.push_back(s.step);
    return steps;
  }

  testing::ScratchFolder scratch_;
  fs::path folder_ = scratch_ / "run", events_ = folder_ / "events.jsonl";
  RunConfig config_ = test::small_config();
  CpuDevice device_{{.threads = 1}};
  test::Outcome straight_;
  std::string log_;  // of the run as it was stopped
};

/// Where the line of a training step ends.
std::size_t end_of_step(const std::string& log, int step) {
  const std::size_t at = log.find("\"step\":" + std::to_string(step) + ",\"phase\":\"train\",\"loss\"");
  EXPECT_NE(at, std::string::npos);
  return log.find('\n', at) + 1;
}

/// The files of a folder and their bytes.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    files[entry.path().string()] = entry.is_regular_file() ? testing::read_bytes(entry.path()) : "";
  }
  return files;
}

/// Changes a sidecar as an older program would have written it: without a hash of its own.
void change_sidecar(const fs::path& path, const std::function<void(nlohmann::ordered_json&)>& change) {
  auto json = nlohmann::ordered_json::parse(testing::read_bytes(path));
  json.erase("fnv1a64");
  change(json);
  testing::write_bytes(path, json.dump());
}

TEST_F(ResumeDamage, AShorterLogKeepsItsWholeLines) {
  const std::size_t kept = end_of_step(log_, 5);
  testing::write_bytes(events_, log_.substr(0, kept + 20));
  EXPECT_THAT(resume(), ElementsAre(AllOf(HasSubstr("events.jsonl: the log of steps 6 to 8 is missing"),
                                          HasSubstr("events.jsonl.damaged"))));
  EXPECT_THAT(steps(), ElementsAre(1, 2, 3, 4, 5, 9, 10, 11, 12));
  EXPECT_EQ(testing::read_bytes(events_).substr(0, kept), log_.substr(0, kept));
  EXPECT_EQ(testing::read_bytes(folder_ / "events.jsonl.damaged"), log_.substr(0, kept + 20));
  EXPECT_THAT(RunLog::read(folder_).notes(), ElementsAre(HasSubstr("steps 6 to 8 is missing")));
  EXPECT_THAT(validate_log(events_), ElementsAre(HasSubstr("step 9 after step 5")));
}

TEST_F(ResumeDamage, ItIsToldOnce) {
  fs::resize_file(events_, end_of_step(log_, 7));
  EXPECT_THAT(toy::Run::resume(folder_, device_).notes(), ElementsAre(HasSubstr("the log of step 8 is missing")));
  EXPECT_FALSE(fs::exists(folder_ / "events.jsonl.damaged")) << "nothing was cut";
  EXPECT_THAT(toy::Run::resume(folder_, device_).notes(), IsEmpty());
  EXPECT_THAT(resume(), IsEmpty());
}

TEST_F(ResumeDamage, AMissingLogBeginsAgain) {
  fs::remove(events_);
  EXPECT_THAT(resume(), ElementsAre(HasSubstr("the log was missing; this one begins after step 8")));
  EXPECT_THAT(steps(), ElementsAre(9, 10, 11, 12));
  EXPECT_THAT(validate_log(events_), IsEmpty());
  EXPECT_EQ(RunLog::read(folder_).state(), RunState::completed);
  EXPECT_EQ(RunLog::read(folder_).start().at("run_id"), "run");
}

TEST_F(ResumeDamage, ALogWithoutItsBeginningIsSetAside) {
  std::string log = log_;
  std::fill_n(log.begin(), log.find('\n'), '#');
  testing::write_bytes(events_, log);
  EXPECT_THAT(resume(),
              ElementsAre(HasSubstr("did not begin with run_start; this one begins after step 8; as it was")));
  EXPECT_EQ(testing::read_bytes(folder_ / "events.jsonl.damaged"), log);
  EXPECT_THAT(validate_log(events_), IsEmpty());
}

TEST_F(ResumeDamage, AnEditedLogKeepsItsLinesToTheCheckpoint) {
  std::string log = log_;
  log.insert(log.find("\"loss\""), "  ");
  testing::write_bytes(events_, log);
  EXPECT_THAT(resume(), ElementsAre(HasSubstr("the log was changed since step 8 was saved")));
  EXPECT_THAT(steps(), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  EXPECT_EQ(testing::read_bytes(folder_ / "events.jsonl.damaged"), log);
  EXPECT_THAT(validate_log(events_), IsEmpty());
}

TEST_F(ResumeDamage, TheLengthOfALogThatIsGoneCutsNoOther) {
  fs::remove(events_);
  (void)resume();
  for (const char* file : {"weights/step-12.gguf", "weights/step-8.gguf"}) fs::resize_file(folder_ / file, 10);
  // The log of step 4 was another one; a line that ends where it ended does not make it that one.
  const std::string log = testing::read_bytes(events_);
  change_sidecar(folder_ / "state/step-4.json", [&](auto& json) { json["log_bytes"] = end_of_step(log, 10); });
  EXPECT_EQ(resume().size(), 3U);
  EXPECT_THAT(steps(), ElementsAre(5, 6, 7, 8, 9, 10, 11, 12));
}

TEST_F(ResumeDamage, ASidecarThatDoesNotFitCostsOneCheckpoint) {
  (void)resume();
  change_sidecar(folder_ / "state/step-12.json", [](auto& json) { json["data"]["position"] = 99999999; });
  EXPECT_THAT(resume(), ElementsAre(AllOf(HasSubstr("state/step-12.json"), HasSubstr("the shuffle does not fit"))));
  EXPECT_EQ(test::outcome_of(folder_), straight_);
}

TEST_F(ResumeDamage, ASidecarWithAnotherNumberIsRefused) {
  (void)resume();
  std::string text = testing::read_bytes(folder_ / "state/step-12.json");
  const std::string key = "\"position\": ";
  char& digit = text[text.find(key) + key.size()];
  digit = digit == '1' ? '2' : '1';
  testing::write_bytes(folder_ / "state/step-12.json", text);
  EXPECT_THAT(resume(), ElementsAre(AllOf(HasSubstr("state/step-12.json"), HasSubstr("has changed"))));
  EXPECT_EQ(test::outcome_of(folder_), straight_);
}

TEST_F(ResumeDamage, MomentsOfAnotherShapeCostOneCheckpoint) {
  (void)resume();
  RunConfig wider = config_;
  wider.recipe.model = ModelConfig{.d_model = 32, .layers = 2, .heads = 2, .context = 24}.resolved();
  {
    toy::Run run = test::begin_run(scratch_ / "wider", wider, device_);
    (void)run.train();
  }
  fs::copy_file(scratch_ / "wider/state/step-12.gguf", folder_ / "state/step-12.gguf",
                fs::copy_options::overwrite_existing);
  const HashedFile state = hashed_file(folder_, "state/step-12.gguf");
  change_sidecar(folder_ / "state/step-12.json", [&](auto& json) {
    json["state"]["bytes"] = state.bytes;
    json["state"]["fnv1a64"] = fmt::format("{:016x}", state.hash);
  });
  EXPECT_THAT(resume(), ElementsAre(AllOf(HasSubstr("state/step-12.gguf"), HasSubstr("expected"))));
  EXPECT_EQ(test::outcome_of(folder_), straight_);
}

TEST_F(ResumeDamage, ARefusalChangesNothing) {
  for (const int step : {4, 8}) {
    change_sidecar(folder_ / fmt::format("state/step-{}.json", step),
                   [](auto& json) { json["data"]["position"] = 99999999; });
  }
  const auto before = contents(folder_);
  const auto refusal = [&] { return test::error_of([&] { (void)toy::Run::resume(folder_, device_); }); };
  EXPECT_THAT(refusal(), AllOf(HasSubstr("no complete checkpoint"), HasSubstr("state/step-8.json")));
  EXPECT_EQ(contents(folder_), before);
  EXPECT_EQ(RunLog::read(folder_).state(), RunState::interrupted);
  fs::remove(events_);
  EXPECT_THAT(refusal(), HasSubstr("no complete checkpoint"));
  EXPECT_FALSE(fs::exists(events_));
}

TEST_F(ResumeDamage, OptionsThatDoNotFitChangeNothing) {
  const auto before = contents(folder_);
  const auto refused = [&](const std::function<void(RunConfig&)>& change) {
    EXPECT_NE(test::error_of([&] { (void)toy::Run::resume(folder_, device_, change); }), "no error");
    EXPECT_EQ(contents(folder_), before);
  };
  refused([](RunConfig& c) { c.recipe.options.steps = 7; });
  refused([](RunConfig& c) { c.recipe.options.warmup = 12; });
  refused([](RunConfig& c) { c.options.keep = 0; });
  refused([](RunConfig& c) { c.options.prompts = {std::string(1000, 'x')}; });
}

TEST_F(ResumeDamage, APipeIsNoLog) {
  fs::remove(events_);
  ASSERT_EQ(::mkfifo(events_.c_str(), 0600), 0);
  EXPECT_THAT(test::error_of([&] { (void)toy::Run::resume(folder_, device_); }),
              HasSubstr("events.jsonl: is not a regular file"));
  fs::remove(events_);
  (void)resume();
}

/// Whatever fails while a damaged log is mended, the next resume gets to the same end.
TEST_F(ResumeDamage, EachCallFailsInTurn) {
  for (const bool missing : {true, false}) {
    for (int failing = 0;; ++failing) {
      fs::remove_all(folder_);
      fs::copy(scratch_ / "straight", folder_, fs::copy_options::recursive);
      missing ? fs::remove(events_)
              : (fs::resize_file(events_, end_of_step(testing::read_bytes(events_), 5) + 3), true);
      testing::CallPlan plan{.failing = failing, .reason = ENOSPC};
      const std::string error =
          test::error_of([&] { (void)toy::Run::resume(folder_, device_, {}, testing::planned(plan)); });
      ASSERT_NO_FATAL_FAILURE((void)resume()) << failing;
      const auto all = steps();
      EXPECT_EQ(all, missing ? std::vector<std::uint64_t>{} : std::vector<std::uint64_t>({1, 2, 3, 4, 5})) << failing;
      if (plan.calls <= failing) break;
      EXPECT_THAT(error, HasSubstr("No space left")) << failing;
    }
  }
}

TEST_F(ResumeDamage, AJumpOfTheRateIsTold) {
  EXPECT_THAT(toy::Run::resume(folder_, device_).notes(), IsEmpty());
  (void)resume();
  toy::Run run = toy::Run::resume(folder_, device_, [](RunConfig& c) { c.recipe.options.steps = 24; });
  (void)run.train();
  const auto log = RunLog::read(folder_).steps();
  EXPECT_THAT(run.notes(), ElementsAre(HasSubstr(fmt::format("ends at step 24, not 12: the learning rate goes from "
                                                             "{:.3g} to {:.3g}",
                                                             log.at(11).lr, log.at(12).lr))));
}

/// FNV-1a of 64 bits, by its definition and by the values published with it.
TEST(HashedFile, IsTheHashOfAllItsBytes) {
  const testing::ScratchFolder folder;
  const auto hash_of = [&](const std::string& text) {
    testing::write_bytes(folder / "file", text);
    const HashedFile found = hashed_file(folder.path(), "file");
    EXPECT_EQ(found.bytes, text.size());
    return found.hash;
  };
  EXPECT_EQ(hash_of("a"), 0xAF63DC4C8601EC8CU);
  EXPECT_EQ(hash_of("foobar"), 0x85944171F73967E8U);
  for (const std::size_t size : {65'535U, 65'536U, 65'537U, 300'000U}) {
    std::string text;
    std::uint64_t expected = 0xCBF29CE484222325U;
    for (std::size_t i = 0; i < size; ++i) {
      text += static_cast<char>(i * i % 251);
      expected = (expected ^ static_cast<std::uint8_t>(text.back())) * 0x100000001B3U;
    }
    EXPECT_EQ(hash_of(text), expected) << size;
  }
}

}  // namespace
}  // namespace toy

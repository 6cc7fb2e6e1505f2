// A training that was interrupted and resumed ends as one that was not, byte for byte.
#include <gtest/gtest.h>

#include <stop_token>

#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

namespace fs = std::filesystem;

/// Trains until `step` steps are done, then asks for a stop as Ctrl-C does.
RunSummary train_until(Run& run, std::int64_t step) {
  std::stop_source stop;
  RunObserver observer;
  observer.step = [&](const StepResult& r, double) {
    if (r.step == step) stop.request_stop();
  };
  return run.train(observer, stop.get_token());
}

struct Case {
  std::string name;
  std::function<void(RunConfig&)> change;
};

class Resume : public ::testing::TestWithParam<Case> {
 protected:
  RunConfig config() const {
    RunConfig c = test::small_config();
    GetParam().change(c);
    c.recipe.model = c.recipe.model.resolved();
    return c;
  }
  testing::ScratchFolder scratch_;
};

TEST_P(Resume, EqualsStraight) {
  {
    CpuDevice device({.threads = 2});
    toy::Run run = test::begin_run(scratch_ / "straight", config(), device);
    EXPECT_EQ(run.train().end, RunSummary::End::completed);
  }
  for (const std::int64_t at : {1, 5, 8}) {
    const fs::path folder = scratch_ / ("stopped" + std::to_string(at));
    {
      CpuDevice device({.threads = 1});
      toy::Run run = test::begin_run(folder, config(), device);
      const RunSummary s = train_until(run, at);
      EXPECT_EQ(s.end, RunSummary::End::interrupted);
      EXPECT_EQ(s.steps, at);
      EXPECT_EQ(newest_checkpoint(folder).checkpoint.step, at);
    }
    CpuDevice device({.threads = 3});
    toy::Run run = toy::Run::resume(folder, device);
    EXPECT_EQ(run.training().steps(), at);
    const RunSummary s = run.train();
    EXPECT_EQ(s.steps, 12);
    EXPECT_EQ(s.losses.size(), 12U);
    EXPECT_EQ(test::outcome_of(folder), test::outcome_of(scratch_ / "straight")) << at;
    EXPECT_EQ(validate_log(folder / "events.jsonl"), std::vector<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Resume,
    ::testing::Values(Case{"llama", [](RunConfig&) {}},
                      Case{"gpt2",
                           [](RunConfig& c) {
                             c.recipe.model = {.arch = "gpt2", .d_model = 16, .layers = 1, .heads = 2, .context = 16};
                           }},
                      Case{"accumulate", [](RunConfig& c) { c.recipe.options.accumulate = 3; }},
                      Case{"bf16", [](RunConfig& c) { c.recipe.options.bf16 = true; }},
                      Case{"documents", [](RunConfig& c) { c.recipe.options.documents = true; }},
                      Case{"silent", [](RunConfig& c) { c.options.gen_every = c.options.eval_every = 0; }},
                      Case{"watched",
                           [](RunConfig& c) {
                             c.options.events = {"grad", "drift", "tap", "op_timing"};
                             c.options.events_every = 2;
                           }}),
    [](const auto& info) { return info.param.name; });

TEST(ResumeRun, GoesOnToMoreStepsThanAskedFirst) {
  const testing::ScratchFolder scratch;
  RunConfig config = test::small_config();
  config.recipe.options.cosine = false;
  config.recipe.options.steps = 6;
  CpuDevice device({.threads = 2});
  {
    toy::Run run = test::begin_run(scratch / "run", config, device);
    EXPECT_EQ(run.train().steps, 6);
  }
  {
    toy::Run run = toy::Run::resume(scratch / "run", device, [](RunConfig& c) { c.recipe.options.steps = 12; });
    EXPECT_EQ(run.train().steps, 12);
  }
  config.recipe.options.steps = 12;
  toy::Run straight = test::begin_run(scratch / "straight", config, device);
  (void)straight.train();
  const test::Outcome a = test::outcome_of(scratch / "run"), b = test::outcome_of((scratch / "straight"));
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.state, b.state);
}

TEST(ResumeRun, RefusesASecondTrainer) {
  const testing::ScratchFolder scratch;
  CpuDevice device({.threads = 1});
  toy::Run run = test::begin_run(scratch / "run", test::small_config(), device);
  (void)train_until(run, 4);
  try {
    (void)toy::Run::resume(scratch / "run", device);
    FAIL() << "two trainers in one folder";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("events.jsonl"), std::string::npos) << error.what();
  }
}

TEST(ResumeRun, FallsBackToTheCheckpointBefore) {
  const testing::ScratchFolder scratch;
  const fs::path folder = (scratch / "run");
  CpuDevice device({.threads = 2});
  {
    toy::Run run = test::begin_run(folder, test::small_config(), device);
    (void)run.train();
  }
  const test::Outcome straight = test::outcome_of(folder);
  fs::resize_file(folder / "weights/step-12.gguf", 1000);
  {
    toy::Run run = toy::Run::resume(folder, device);
    EXPECT_EQ(run.training().steps(), 8);
    ASSERT_EQ(run.notes().size(), 1U);
    EXPECT_NE(run.notes()[0].find("step-12.gguf"), std::string::npos);
    (void)run.train();
  }
  EXPECT_EQ(test::outcome_of(folder), straight);
}

TEST(ResumeRun, ADamagedCheckpointCostsNoGoodOne) {
  const testing::ScratchFolder scratch;
  const fs::path folder = scratch / "run";
  CpuDevice device({.threads = 2});
  RunConfig config = test::small_config();
  config.options.keep = 1;
  config.options.eval_every = 0;
  {
    toy::Run run = test::begin_run(folder, config, device);
    (void)run.train();
  }
  const test::Outcome straight = test::outcome_of(folder);
  {
    toy::Run run = test::begin_run(scratch / "other", config, device);
    (void)train_until(run, 8);
  }
  fs::copy_file(folder / "state/step-12.json", scratch / "other/state/step-12.json");
  {
    toy::Run run = toy::Run::resume(scratch / "other", device);
    EXPECT_FALSE(fs::exists(scratch / "other/state/step-12.json"));
    EXPECT_TRUE(fs::exists(scratch / "other/state/step-12.json.damaged"));
    (void)train_until(run, 10);
    EXPECT_EQ(newest_checkpoint(scratch / "other").checkpoint.step, 10);
  }
  {
    toy::Run run = toy::Run::resume(scratch / "other", device);
    (void)run.train();
  }
  EXPECT_EQ(test::outcome_of(scratch / "other").weights, straight.weights);
}

TEST(ResumeRun, ReadsTheNewestCheckpointUnderItsLock) {
  const testing::ScratchFolder scratch;
  const fs::path folder = scratch / "run";
  CpuDevice device({.threads = 1});
  toy::Run run = test::begin_run(folder, test::small_config(), device);
  (void)train_until(run, 4);
  // A trainer that still holds the log has its say before anything of the run is looked at.
  fs::resize_file(folder / "weights/step-4.gguf", 10);
  EXPECT_NE(test::error_of([&] { (void)toy::Run::resume(folder, device); }).find("another process"), std::string::npos);
}

TEST(ResumeRun, RefusesAnotherCorpus) {
  const testing::ScratchFolder scratch;
  CpuDevice device({.threads = 1});
  {
    toy::Run run = test::begin_run(scratch / "run", test::small_config(), device);
    (void)train_until(run, 4);
  }
  std::string tokens = testing::read_bytes(scratch / "run/data/tokens.bin");
  std::swap(tokens[tokens.size() - 2], tokens[tokens.size() - 4]);
  testing::write_bytes(scratch / "run/data/tokens.bin", tokens);
  EXPECT_NE(test::error_of([&] { (void)toy::Run::resume(scratch / "run", device); }).find("tokens.bin"),
            std::string::npos);
}

TEST(ResumeRun, AFolderThatIsNoneIsTold) {
  const testing::ScratchFolder scratch;
  CpuDevice device({.threads = 1});
  toy::Run run = test::begin_run(scratch / "run", test::small_config(), device);
  testing::write_bytes(scratch / "run/weights", "a file");
  EXPECT_NE(test::error_of([&] { (void)run.train(); }).find("run/weights: cannot make the folder"), std::string::npos);
  EXPECT_EQ(read_events(scratch / "run/events.jsonl").events.back().at("reason"), "errored");
}

TEST(ResumeRun, KeepsTheNewestAndTheBest) {
  const testing::ScratchFolder scratch;
  RunConfig config = test::small_config();
  config.options.save_every = 1;
  config.options.keep = 2;
  CpuDevice device({.threads = 2});
  toy::Run run = test::begin_run(scratch / "run", config, device);
  (void)run.train();
  const auto steps = checkpoint_steps(scratch / "run");
  const Checkpoint newest = newest_checkpoint(scratch / "run").checkpoint;
  EXPECT_EQ(newest.step, 12);
  EXPECT_TRUE(std::ranges::find(steps, newest.best_step) != steps.end());
  EXPECT_TRUE(std::ranges::find(steps, 11) != steps.end());
  EXPECT_LE(steps.size(), 3U);
  for (const char* part : {"weights", "state"}) {
    const auto files = std::distance(fs::directory_iterator(scratch / "run" / part), fs::directory_iterator());
    EXPECT_EQ(files, static_cast<std::ptrdiff_t>(steps.size()) * (part[0] == 's' ? 2 : 1));
  }
}

/// Trained on one letter, validated on another: the first checkpoint stays the best.
TEST(ResumeRun, KeepsTheBestThoughItIsOld) {
  const testing::ScratchFolder scratch;
  RunConfig config = test::small_config();
  config.recipe.vocabulary = {.kind = "byte"};
  config.recipe.options = {.steps = 20, .batch = 2, .rate = 1e-2, .validation_share = 0.15};
  config.options.save_every = 4;
  config.options.keep = 1;
  CpuDevice device({.threads = 1});
  fs::create_directories(scratch / "run");
  const Corpus corpus = Corpus::texts({std::string(2000, 'a'), std::string(400, 'b')});
  toy::Run run = toy::Run::begin(scratch / "run", config, corpus, device);
  (void)run.train();
  EXPECT_EQ(checkpoint_steps(scratch / "run"), (std::vector<std::int64_t>{4, 20}));
  EXPECT_EQ(newest_checkpoint(scratch / "run").checkpoint.best_step, 4);
}

TEST(ResumeRun, RemovesWhatACrashLeft) {
  const testing::ScratchFolder scratch;
  CpuDevice device({.threads = 1});
  {
    toy::Run run = test::begin_run(scratch / "run", test::small_config(), device);
    (void)train_until(run, 5);
  }
  const std::vector<std::string> left{"run/weights/step-3.gguf", "run/weights/.toy-0123456789abcdef.tmp",
                                      "run/state/step-3.gguf"};
  for (const std::string& file : left) testing::write_bytes(scratch / file, "half");
  const std::vector<std::string> own{"run/weights/best.gguf", "run/weights/step-x.gguf", "run/state/notes.json",
                                     "run/step-3.gguf", "run/weights/step-9.gguf"};
  for (const std::string& file : own) testing::write_bytes(scratch / file, "of the user");
  (void)toy::Run::resume(scratch / "run", device);
  for (const std::string& file : left) EXPECT_FALSE(fs::exists(scratch / file)) << file;
  for (const std::string& file : own) EXPECT_TRUE(fs::exists(scratch / file)) << file;
  EXPECT_EQ(newest_checkpoint(scratch / "run").checkpoint.step, 5);
}

}  // namespace
}  // namespace toy

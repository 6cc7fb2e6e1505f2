#include "toy/train/run_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "toy/train/run.h"

#include "tests/io/expect_error.h"
#include "tests/io/scratch.h"
#include "tests/train/small_run.h"

namespace toy::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(RunLog, TellsWhatTheLogSays) {
  const ScratchFolder folder;
  write_run(folder / "a", {.losses = {4, 3, 2.5, 2.75}, .evals = {3.5, 2.5, 2.6}, .whole_eval = 2.4});
  EXPECT_THAT(validate_log(folder / "a/events.jsonl"), IsEmpty());
  const RunLog run = RunLog::read(folder / "a");
  EXPECT_EQ(run.id(), "a");
  EXPECT_EQ(run.fact("/model/arch"), "llama");
  EXPECT_EQ(run.fact("/config/optimizer/lr"), "0.001");
  EXPECT_EQ(run.fact("/config/nothing"), "");
  EXPECT_EQ(run.state(), RunState::completed);
  EXPECT_THAT(run.losses(), ElementsAre(4, 3, 2.5, 2.75));
  EXPECT_EQ(run.last_loss(), 2.75);
  EXPECT_EQ(run.loss_at(3), 2.5);
  EXPECT_EQ(run.loss_at(5), std::nullopt);
  EXPECT_EQ(run.config()["optimizer"]["lr"], 1e-3);
  EXPECT_EQ(run.error(), "");
  EXPECT_EQ(run.tokens(), 400U);
  EXPECT_NEAR(*run.tokens_per_second(), 100'000, 1e-6);
  ASSERT_EQ(run.samples().size(), 1U);
  EXPECT_EQ(run.samples()[0].text, " upon a time");
  EXPECT_EQ(RunLog::read(folder / "a/").id(), "a");
}

TEST(RunLog, TheBestEvaluationIsTheSmallestWhateverItsName) {
  const ScratchFolder folder;
  const auto best = [&](const std::vector<double>& evals, double whole) {
    write_run(folder / "a", {.evals = evals, .whole_eval = whole});
    const auto found = RunLog::read(folder / "a").best_eval();
    return found->name + " " + std::to_string(found->step);
  };
  EXPECT_EQ(best({3.5, 2.5, 2.6}, 2.4), "validation_whole 30");
  EXPECT_EQ(best({3.5, 2.5, 2.6}, 2.55), "validation 20");
  EXPECT_EQ(best({}, 2.55), "validation_whole 0");
  EXPECT_EQ(best({NAN, 3}, 9), "validation 20");
}

TEST(RunLog, TheConfigurationIsThatOfConfigJsonWhereThereIsOne) {
  const ScratchFolder folder;
  write_run(folder / "a", {});
  RunConfig config;
  config.recipe.options.steps = 4321;
  config.options.temperature = 0.7F;
  write_bytes(folder / "a/config.json", config_text(config));
  const Event now = RunLog::read(folder / "a").config();
  EXPECT_EQ(now["training"]["steps"], 4321);
  EXPECT_EQ(now["run"]["temperature"].dump(), "0.7");
  for (const char* broken : {"{", "{}", "[]", "\xff"}) {
    write_bytes(folder / "a/config.json", broken);
    EXPECT_EQ(RunLog::read(folder / "a").config()["optimizer"]["lr"], 1e-3) << broken;
  }
}

TEST(RunConfigText, WritesFloatsInTheirShortestForm) {
  RunConfig config;
  for (const float value : {0.8F, 0.1F, 1.0F / 3, 1e-7F, 16777216.0F}) {
    config.options.temperature = value;
    const std::string text = config_text(config);
    EXPECT_EQ(parse_config(text, "t").options.temperature, value);
    const std::size_t begin = text.find("\"temperature\": ") + 15;
    EXPECT_LE(text.find(',', begin) - begin, 12U) << text.substr(begin, 30);
  }
}

TEST(RunConfigText, LeavesOutALevelThatIsNotKnown) {
  RunConfig config;
  EXPECT_FALSE(Event::parse(config_text(config)).contains("simd"));
  config.simd = "v3";
  EXPECT_EQ(parse_config(config_text(config), "t").simd, "v3");
}

TEST(RunConfigText, RefusesATemperatureThatIsNone) {
  for (const float value : {-1.0F, INFINITY, NAN}) {
    RunOptions options;
    options.temperature = value;
    EXPECT_THAT(error_of([&] { options.check(); }), HasSubstr("temperature: expected 0 or more"));
  }
}

TEST(RunLog, KnowsHowItEnded) {
  const ScratchFolder folder;
  write_run(folder / "why", {.reason = "errored", .error = "the loss is not finite"});
  EXPECT_EQ(RunLog::read(folder / "why").error(), "the loss is not finite");
  for (const std::string reason : {"completed", "interrupted", "aborted", "errored"}) {
    write_run(folder / reason, {.reason = reason});
    EXPECT_EQ(name(RunLog::read(folder / reason).state()), reason);
  }
  write_run(folder / "odd", {.reason = "running"});
  EXPECT_EQ(RunLog::read(folder / "odd").state(), RunState::errored);
  write_run(folder / "open", {.reason = ""});
  EXPECT_EQ(RunLog::read(folder / "open").state(), RunState::crashed);
  const EventWriter writer(folder / "open/events.jsonl", std::filesystem::file_size(folder / "open/events.jsonl"));
  EXPECT_EQ(RunLog::read(folder / "open").state(), RunState::running);
}

TEST(RunLog, ARunWithoutStepsHasNoNumbers) {
  const ScratchFolder folder;
  write_run(folder / "a", {.losses = {}});
  const RunLog run = RunLog::read(folder / "a");
  EXPECT_EQ(run.last_loss(), std::nullopt);
  EXPECT_EQ(run.tokens_per_second(), std::nullopt);
  EXPECT_FALSE(run.best_eval());
}

TEST(RunLog, OddEventsDoNoHarm) {
  const ScratchFolder folder;
  write_run(folder / "a", {.losses = {4, NAN}, .evals = {NAN, 3}});
  std::ofstream(folder / "a/events.jsonl", std::ios::app) << R"({"kind":"step","step":-3,"loss":"low","tokens":1e300})"
                                                             "\n"
                                                          << R"({"kind":"eval","step":[],"name":7})"
                                                             "\n"
                                                          << R"({"kind":"sample"})"
                                                             "\n"
                                                          << R"({"kind":"run_start"})"
                                                             "\n"
                                                          << R"({"kind":"eval","name":"request","extra":{}})"
                                                             "\n"
                                                          << "torn";
  const RunLog run = RunLog::read(folder / "a");
  EXPECT_EQ(run.skipped_lines(), 1U);
  EXPECT_EQ(run.steps().size(), 3U);
  EXPECT_TRUE(std::isnan(run.steps()[1].loss));
  EXPECT_EQ(run.evals().size(), 3U);
  EXPECT_EQ(run.best_eval()->loss, 3);
  EXPECT_EQ(run.fact("/schema"), "toy/v1");
}

TEST(ListRuns, NewestFirstAndSaysWhatItSkips) {
  const ScratchFolder folder;
  write_run(folder / "old", {.started_at = "2026-05-30T10:00:00Z"});
  write_run(folder / "new", {.started_at = "2026-06-01T10:00:00Z"});
  write_run(folder / "mid-1", {});
  write_run(folder / "mid-2", {});
  std::filesystem::create_directory(folder / "empty");
  std::filesystem::create_directory(folder / "other");
  write_bytes(folder / "other/events.jsonl", "{}\n");
  write_bytes(folder / "file", "x");
  const RunList list = list_runs(folder.path());
  std::vector<std::string> ids;
  for (const RunLog& run : list.runs) ids.push_back(run.id());
  EXPECT_THAT(ids, ElementsAre("new", "mid-2", "mid-1", "old"));
  ASSERT_EQ(list.skipped.size(), 2U);
  EXPECT_THAT(list.skipped[0].reason, HasSubstr("no such file"));
  EXPECT_THAT(list.skipped[1].reason, HasSubstr("no run_start"));
  EXPECT_THAT(list_runs(folder / "missing").runs, IsEmpty());
}

TEST(FindRun, ByNameBeginningOrPath) {
  const ScratchFolder folder;
  for (const char* name : {"runs/llama-1", "runs/llama-10", "runs/gpt2-1", "elsewhere"}) {
    std::filesystem::create_directories(folder / name);
  }
  const auto runs = folder / "runs";
  EXPECT_EQ(find_run(runs, "llama-1"), runs / "llama-1");
  EXPECT_EQ(find_run(runs, "g"), runs / "gpt2-1");
  EXPECT_EQ(find_run(runs, (folder / "elsewhere").string()), folder / "elsewhere");
  EXPECT_THAT(error_of([&] { find_run(runs, "llama"); }), HasSubstr("2 runs"));
  EXPECT_THAT(error_of([&] { find_run(runs, "bert"); }), HasSubstr("no run 'bert'"));
  EXPECT_THAT(error_of([&] { find_run(runs, ""); }), HasSubstr("no run"));
  std::filesystem::create_symlink("loop", folder / "loop");
  const std::string loop = (folder / "loop").string();
  EXPECT_EQ(error_of([&] { find_run(runs, loop); }), loop + ": Too many levels of symbolic links");
}

TEST(NewRunFolder, CountsOn) {
  const ScratchFolder folder;
  const auto runs = folder / "deep/runs";
  EXPECT_EQ(new_run_folder(runs, "llama", "20260531"), runs / "llama-20260531-001");
  EXPECT_EQ(new_run_folder(runs, "llama", "20260531"), runs / "llama-20260531-002");
  EXPECT_EQ(new_run_folder(runs, "gpt2", "20260531"), runs / "gpt2-20260531-001");
  std::filesystem::create_directory(runs / "llama-20260531-1041");
  std::filesystem::create_directory(runs / "llama-20260531-2000-copy");
  EXPECT_EQ(new_run_folder(runs, "llama", "20260531"), runs / "llama-20260531-1042");
  std::filesystem::create_directory(runs / "llama-20260531-2147483647");
  EXPECT_EQ(new_run_folder(runs, "llama", "20260531"), runs / "llama-20260531-1043");
  EXPECT_THAT(error_of([&] { new_run_folder(runs, "../x", "20260531"); }), HasSubstr("expected a name"));
  write_bytes(folder / "file", "x");
  EXPECT_THAT(error_of([&] { new_run_folder(folder / "file", "llama", "20260531"); }), HasSubstr("cannot make"));
}

TEST(NewRunFolder, IsNeverGivenTwice) {
  const ScratchFolder folder;
  std::vector<std::vector<std::filesystem::path>> made(4);
  {
    std::vector<std::jthread> threads;
    threads.reserve(made.size());
    for (auto& own : made) {
      threads.emplace_back([&] {
        try {
          for (int i = 0; i < 50; ++i) own.push_back(new_run_folder(folder.path(), "llama", "20260531"));
        } catch (const Error& error) {
          ADD_FAILURE() << error.what();
        }
      });
    }
  }
  std::set<std::filesystem::path> all;
  for (const auto& own : made) all.insert(own.begin(), own.end());
  EXPECT_EQ(all.size(), 200U);
  EXPECT_EQ(*all.rbegin(), folder / "llama-20260531-200");
}

}  // namespace
}  // namespace toy::testing

// runs, runs show and runs compare, on small runs.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <tuple>

#include "tests/cli/json_form.h"
#include "tests/cli/process.h"
#include "tests/cli/small_models.h"
#include "tests/train/small_run.h"

namespace toy::testing {
namespace {

class Runs : public ::testing::Test {
 protected:
  Runs() {
    write_run(runs / "llama-20260530-001", {.started_at = "2026-05-30T10:00:00Z", .losses = {4, 3, 2}, .evals = {3}});
    write_run(runs / "llama-20260531-001", {.lr = 2e-3, .losses = {4, 2, 1, NAN}, .evals = {2.5, NAN}, .wall_us = 500});
    write_run(runs / "gpt2-20260531-001", {.started_at = "2026-05-31T11:00:00Z", .losses = {}, .reason = ""});
    std::filesystem::create_directories(runs / "broken");
  }
  Finished show(std::vector<std::string> words) const {
    words.insert(words.begin(), "runs");
    return toy(words, start);
  }

  Folder folder;
  const std::filesystem::path runs = std::filesystem::path(folder.str()) / "runs";
  const Start start{.environment = {{"LC_ALL", "C"}, {"COLUMNS", "60"}}, .folder = folder.str()};
};

TEST_F(Runs, list) {
  const Json json = answer({"runs"}, "", start);
  ASSERT_EQ(json["runs"].size(), 3u);
  EXPECT_EQ(json["runs"][0]["id"], "gpt2-20260531-001");
  EXPECT_EQ(json["runs"][0]["state"], "crashed");
  EXPECT_TRUE(json["runs"][0]["loss"].is_null());
  EXPECT_TRUE(json["runs"][1]["loss"].is_null());
  EXPECT_EQ(json["runs"][1]["steps"], 4);
  EXPECT_NEAR(json["runs"][1]["tokens_per_second"], 200'000, 1);
  EXPECT_EQ(json["runs"][2]["loss"], 2);
  EXPECT_EQ(json["runs"][2]["best_eval"]["loss"], 3);
  ASSERT_EQ(json["skipped"].size(), 1u);
  EXPECT_EQ(json["skipped"][0]["path"], "runs/broken");

  const Finished text = show({});
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(lines(text.out), 5) << text.out;
  EXPECT_NE(text.out.find("llama-20260530-001  completed  2026-05-30 10:00      3     300  2.0000     3.0000   100K"),
            std::string::npos)
      << text.out;
  EXPECT_NE(text.out.find("skipped runs/broken/events.jsonl: no such file"), std::string::npos) << text.out;
}

TEST_F(Runs, none) {
  std::filesystem::create_directory(std::filesystem::path(folder.str()) / "empty");
  const Finished f = show({"--dir", "empty"});
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.out, "");
  EXPECT_NE(f.err.find("no runs in empty"), std::string::npos);
  EXPECT_EQ(answer({"runs", "--dir", "empty"}, "", start)["runs"], Json::array());
  const Finished missing = show({"--dir", "nowhere"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_NE(missing.err.find("--dir: nowhere is no folder"), std::string::npos) << missing.err;
}

TEST_F(Runs, show) {
  const Json json = answer({"runs", "show", "llama-20260531"}, "", start);
  EXPECT_EQ(json["run"]["id"], "llama-20260531-001");
  ASSERT_EQ(json["steps"].size(), 4u);
  EXPECT_EQ(json["steps"][2]["loss"], 1);
  EXPECT_TRUE(json["steps"][3]["loss"].is_null());
  EXPECT_EQ(json["evals"].size(), 2u);
  EXPECT_EQ(json["samples"][0]["text"], " upon a time");
  EXPECT_FALSE(json.contains("complaints"));
  const Json& parameters = json["hyperparameters"];
  EXPECT_NE(std::find(parameters.begin(), parameters.end(), Json{{"name", "config.optimizer.lr"}, {"value", 2e-3}}),
            parameters.end());

  const Finished text = show({"show", (runs / "llama-20260531-001").string()});
  for (const char* part :
       {"llama-20260531-001: completed, started 2026-05-31 10:00 UTC", "4 steps, 400 tokens, 200K tok",
        "best validation loss 2.5000 at step 10", "Training loss, steps 1 to 4", "4.000 *",
        "config.optimizer.lr    0.002", "\"Once upon a time\""}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " is not in\n" << text.out;
  }
}

TEST_F(Runs, show_says_why_it_ended) {
  write_run(runs / "bad-1",
            {.losses = {4, NAN}, .evals = {NAN}, .reason = "errored", .error = "step 2:\n\x1b[2J broke"});
  const Finished text = show({"show", "bad-1"});
  EXPECT_NE(text.out.find("\nerrored: step 2:\\x0a\\x1b[2J broke\n"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("last loss not finite"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("validation    10  not finite"), std::string::npos) << text.out;
  EXPECT_EQ(answer({"runs", "show", "bad-1"}, "", start)["run"]["error"], "step 2:\n\x1b[2J broke");
  EXPECT_TRUE(answer({"runs", "show", "llama-20260530"}, "", start)["run"]["error"].is_null());
}

TEST_F(Runs, show_has_the_hyperparameters_of_the_run_as_it_was_resumed) {
  std::ofstream(std::filesystem::path(folder.str()) / "text") << std::string(4000, 'a') << "hen";
  const Json begun = answer({"train",       "from-scratch",
                             "--corpus",    "text",
                             "--vocab",     "char",
                             "--d-model",   "16",
                             "--heads",     "2",
                             "--layers",    "1",
                             "--context",   "16",
                             "--threads",   "1",
                             "--steps",     "2",
                             "--gen-every", "0"},
                            "", start);
  const std::string run = begun["run"];
  answer({"train", "from-scratch", "--resume", run, "--steps", "4"}, "", start);
  const Json parameters = answer({"runs", "show", run}, "", start)["hyperparameters"];
  const auto has = [&](const char* name, const Json& value) {
    return std::find(parameters.begin(), parameters.end(), Json{{"name", name}, {"value", value}}) != parameters.end();
  };
  EXPECT_TRUE(has("config.training.steps", 4)) << parameters;
  EXPECT_TRUE(has("config.run.temperature", 0.8)) << parameters;
  const Finished text = show({"show", run});
  EXPECT_NE(text.out.find("config.run.temperature        0.8\n"), std::string::npos) << text.out;
}

TEST_F(Runs, a_run_that_diverged_was_aborted_everywhere) {
  const Finished f = diverging_training(folder.str(), {"--json"});
  ASSERT_EQ(f.code, 1) << f.err;
  const Json trained = Json::parse(f.out), shown = answer({"runs", "show", trained["run"]}, "", start)["run"];
  EXPECT_EQ(trained["end"], "aborted");
  EXPECT_EQ(shown["state"], "aborted");
  EXPECT_NE(std::string(shown["error"]).find("(the limit is 50 %)"), std::string::npos) << shown;
}

TEST_F(Runs, the_best_evaluation_may_be_that_of_the_whole_part) {
  write_run(runs / "whole-1", {.evals = {3, 2}, .whole_eval = 1.5});
  EXPECT_EQ(answer({"runs", "show", "whole-1"}, "", start)["run"]["best_eval"]["name"], "validation_whole");
  EXPECT_NE(show({}).out.find("1.5000"), std::string::npos);
  EXPECT_NE(show({"--help"}).out.find("smallest loss of all evaluations"), std::string::npos);
}

TEST_F(Runs, one_line_and_one_place_are_not_many) {
  std::ofstream(runs / "llama-20260530-001/events.jsonl", std::ios::app) << "torn\n";
  const Finished f = show({"show", "llama-20260530", "--check"});
  EXPECT_NE(f.out.find("\n1 line of its log cannot be read\n"), std::string::npos) << f.out;
  EXPECT_NE(f.err.find("breaks toy/v1 in 1 place\n"), std::string::npos) << f.err;
  write_run(runs / "short", {.losses = {1}});
  EXPECT_NE(show({"show", "short"}).out.find("\n1 step, 100 tokens"), std::string::npos);
}

TEST_F(Runs, show_check) {
  EXPECT_EQ(answer({"runs", "show", "llama-20260531", "--check"}, "", start)["complaints"], Json::array());
  std::ofstream(runs / "llama-20260531-001/events.jsonl", std::ios::app) << R"({"kind":"note","t":9})"
                                                                            "\n";
  const Finished f = show({"show", "llama-20260531", "--check"});
  EXPECT_EQ(f.code, 1);
  EXPECT_NE(f.out.find("note: text is missing"), std::string::npos) << f.out;
  EXPECT_NE(f.err.find("breaks toy/v1 in 2 places"), std::string::npos) << f.err;
}

TEST_F(Runs, compare) {
  const Json json = answer({"runs", "compare", "llama-20260531", "llama-20260530"}, "", start);
  ASSERT_EQ(json["differences"].size(), 1u);
  EXPECT_EQ(json["differences"][0]["name"], "config.optimizer.lr");
  EXPECT_EQ(json["basis"], "validation loss at step 10");
  EXPECT_EQ(json["loss_delta"], -0.5);
  EXPECT_EQ(json["verdict"], "ahead");
  EXPECT_NEAR(json["speed_ratio"], 2, 1e-9);
  EXPECT_EQ(json["losses"].size(), 3u);

  const Finished text = show({"compare", "llama-20260531", "llama-20260530"});
  for (const char* part : {"Hyperparameters that differ", "config.optimizer.lr", "-1.0000", "2.00 times the tokens",
                           "perplexity ratio 0.607: llama-20260531-001 is ahead of llama-20260530-001"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " is not in\n" << text.out;
  }
  EXPECT_NE(show({"compare", "gpt2", "llama-20260530"}).out.find("share no step"), std::string::npos);
  EXPECT_TRUE(answer({"runs", "compare", "gpt2", "llama-20260530"}, "", start)["loss_delta"].is_null());
}

TEST_F(Runs, compare_says_what_is_not_finite) {
  write_run(runs / "a/same", {.losses = {}, .evals = {NAN}});
  write_run(runs / "b/same", {.losses = {}, .evals = {9833937584}});
  write_run(runs / "b/other", {.losses = {}, .evals = {INFINITY}});
  const auto compared = [&](const std::string& a, const std::string& b) { return show({"compare", a, b}).out; };
  EXPECT_NE(
      compared("runs/a/same", "runs/b/same")
          .find("validation loss at step 10: not finite and 9833937584.0000: runs/a/same is behind runs/b/same\n"),
      std::string::npos)
      << compared("runs/a/same", "runs/b/same");
  EXPECT_NE(compared("runs/a/same", "runs/b/same").find("runs/a/same      runs/b/same  difference"), std::string::npos)
      << compared("runs/a/same", "runs/b/same");
  EXPECT_NE(compared("runs/a/same", "runs/b/other").find("not finite and not finite: neither run is ahead\n"),
            std::string::npos);
  EXPECT_NE(compared("runs/b/same", "runs/b/other").find(": same is ahead of other\n"), std::string::npos);
  write_run(runs / "c/same", {.losses = {}, .evals = {1e2}});
  EXPECT_NE(compared("runs/c/same", "llama-20260530").find("perplexity ratio 1.34e+42: same is behind llama-"),
            std::string::npos)
      << compared("runs/c/same", "llama-20260530");
}

TEST_F(Runs, wrong_words) {
  const std::vector<std::tuple<std::vector<std::string>, int, std::string>> cases = {
      {{"shw", "x"}, 2, "unknown verb 'runs shw'; did you mean runs show? (toy runs --help lists them)"},
      {{"frobnicate"}, 2, "unknown verb 'runs frobnicate'; known: runs show, runs compare, runs rm"},
      {{"show"}, 2, "runs show: expected ID"},
      {{"compare", "llama-20260531"}, 2, "runs compare: expected B"},
      {{"show", "x", "--chek"}, 2, "did you mean --check? (toy runs show --help lists them)"},
      {{"show", ""}, 2, "runs show: ID is empty; expected the run"},
      {{"compare", "llama-20260531", ""}, 2, "runs compare: B is empty"},
      {{"--dir", ""}, 2, "--dir: expected a path, found ''"},
      {{"--dir", "loop"}, 1, "--dir: loop: Too many levels of symbolic links"},
      {{"show", "loop"}, 1, "toy: loop: Too many levels of symbolic links"},
      {{"show", "llama"}, 1, "2 runs"},
      {{"show", "bert"}, 1, "no run 'bert' in runs"},
      {{"show", "broken"}, 1, "no such file"},
  };
  std::filesystem::create_symlink("loop", std::filesystem::path(folder.str()) / "loop");
  for (const auto& [words, code, hint] : cases) {
    const Finished f = show(words);
    EXPECT_EQ(f.code, code) << hint;
    EXPECT_EQ(lines(f.err), 1) << f.err;
    EXPECT_NE(f.err.find(hint), std::string::npos) << f.err;
  }
}

// A log is not trusted: what it says stays on its line.
TEST_F(Runs, texts_of_a_log_cannot_steer_the_terminal) {
  SmallRun odd{.started_at = "\x1b[2J\n2026", .losses = {1}};
  write_run(runs / "odd\x1b\n", odd);
  for (const auto& words : std::vector<std::vector<std::string>>{{}, {"show", "odd"}, {"compare", "odd", "odd"}}) {
    const Finished f = show(words);
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_EQ(f.out.find('\x1b'), std::string::npos);
  }
  EXPECT_EQ(lines(show({}).out), 6);
}

}  // namespace
}  // namespace toy::testing

// How toy train behaves towards terminals, signals and failures, and what its answers are good for.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cli/json_form.h"
#include "tests/cli/process.h"
#include "tests/cli/small_models.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

namespace fs = std::filesystem;

class Conduct : public ::testing::Test {
 protected:
  Conduct() {
    std::ofstream file(fs::path(folder.str()) / "a corpus.txt", std::ios::binary);
    for (int i = 0; i < 300; ++i) file << "The hen number " << i << " found a grain.\nShe ate it and slept.\n";
  }
  std::vector<std::string> words(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"train",        "from-scratch",
                                    "--corpus",     "a corpus.txt",
                                    "--d-model",    "16",
                                    "--heads",      "2",
                                    "--layers",     "1",
                                    "--context",    "16",
                                    "--batch-size", "4",
                                    "--threads",    "1",
                                    "--gen-every",  "0"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::string first_run() const { return answer({"runs"}, "", start)["runs"][0]["id"]; }
  fs::path file(const std::string& name) const { return fs::path(folder.str()) / name; }
  /// Through a shell, in the folder; everything that it prints is in the file "said".
  int shell(const std::string& command) const {
    return WEXITSTATUS(std::system(("cd " + folder.str() + " && { " + command + " ; } > said 2>&1").c_str()));
  }

  Folder folder;
  const Start start{.folder = folder.str()};
};

/// What the program shows on a terminal.
std::string on_terminal(const std::vector<std::string>& words, const std::string& folder, unsigned short columns = 80) {
  std::vector<std::string> all = words;
  all.insert(all.begin(), TOY_PROGRAM);
  std::vector<char*> arguments;
  arguments.reserve(all.size() + 1);
  for (std::string& word : all) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    ::setenv("TERM", "xterm", 1);
    ::setenv("LC_ALL", "C.UTF-8", 1);
    if (::chdir(folder.c_str()) == 0) ::execv(TOY_PROGRAM, arguments.data());
    ::_exit(127);
  }
  std::string shown;
  char some[4096];
  for (ssize_t n = 0; (n = ::read(terminal, some, sizeof some)) > 0;) shown.append(some, static_cast<std::size_t>(n));
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(terminal);
  return shown + "exit code " + std::to_string(WEXITSTATUS(status));
}

TEST_F(Conduct, a_terminal_shows_progress_and_a_plot) {
  std::vector<std::string> all = words({"--vocab", "byte", "--steps", "600", "--eval-every", "0"});
  *(std::ranges::find(all, "--batch-size") + 1) = "64";
  const std::string shown = on_terminal(all, folder.str());
  for (const char* part : {"/600  loss ", " tokens/s  ", " left", " % of peak", "step    600  loss ", "exit code 0"}) {
    EXPECT_NE(shown.find(part), std::string::npos) << part << "\n" << shown;
  }
  EXPECT_NE(shown.find("\xE2\xA0"), std::string::npos) << "no dot of the plot (U+2800 and on)\n" << shown;
  const Finished piped = toy(words({"--vocab", "byte", "--steps", "20"}), start);
  EXPECT_EQ(piped.err.find(" % of peak"), std::string::npos) << "only on a terminal";
}

TEST_F(Conduct, what_moves_is_cut_to_a_narrow_terminal) {
  const std::string shown =
      on_terminal(words({"--vocab", "byte", "--steps", "600", "--eval-every", "0"}), folder.str(), 40);
  bool found = false;
  for (std::size_t at = 0; (at = shown.find("/600  loss ", at)) != std::string::npos; ++at) {
    const std::size_t begin = shown.rfind("step ", at), end = shown.find_first_of("\r\n\x1b", at);
    EXPECT_LT(end - begin, 40u) << shown.substr(begin, end - begin);
    found = true;
  }
  EXPECT_TRUE(found) << shown;
}

TEST_F(Conduct, signals_that_come_together_count_as_one) {
  Process process(words({"--vocab", "byte", "--steps", "1000000", "--quiet"}), start);
  ASSERT_TRUE(process.wait_for_output());
  process.send(SIGTERM);
  process.send(SIGINT);
  const Finished f = process.finish();
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.err, "");
  EXPECT_NE(f.out.find("\ninterrupted after step "), std::string::npos) << "also when quiet\n" << f.out;
  EXPECT_EQ(answer({"runs"}, "", start)["runs"][0]["state"], "interrupted");
}

TEST_F(Conduct, a_run_that_is_being_prepared_is_told) {
  std::ofstream large(file("large.txt"), std::ios::binary);
  for (int i = 0; i < 400'000; ++i) large << "The hen number " << i << " found a grain of " << i * 7919LL << ".\n";
  large.close();
  Process process({"train", "from-scratch", "--corpus", "large.txt", "--vocab-size", "20000", "--threads", "1"}, start);
  ASSERT_TRUE(process.wait_until_guarded());
  for (int i = 0; i < 1000 && !fs::exists(file("runs")); ++i) ::usleep(10'000);
  Finished f = toy({"runs", "--dir", "runs"}, start);
  for (int i = 0; i < 1000 && f.out.empty(); ++i) f = toy({"runs", "--dir", "runs"}, start);
  EXPECT_NE(f.out.find("the run is being prepared: its log has not begun"), std::string::npos) << f.out << f.err;
  EXPECT_EQ(f.err, "no runs in runs\n");
}

TEST_F(Conduct, a_checkpoint_of_a_failing_training_displaces_none) {
  const std::vector<std::string> failing = {"--vocab",     "byte",    "--lr",   "900",           "--beta2",
                                            "0",           "--steps", "100",    "--keep",        "1",
                                            "--val-share", "0",       "--json", "--no-clip-grad"};
  const Json json = Json::parse(toy(words(failing), start).out);
  const int last = json["steps"];
  ASSERT_GT(last, 2);
  std::vector<std::string> saving = failing;
  saving.insert(saving.end(), {"--save-every", std::to_string(last - 1)});
  const Json again = Json::parse(toy(words(saving), start).out);
  const fs::path weights = file(std::string(again["run"])) / "weights";
  for (const int step : {last - 1, last}) {
    EXPECT_TRUE(fs::exists(weights / ("step-" + std::to_string(step) + ".gguf"))) << step;
  }
  EXPECT_GT(again["tokens_per_second"], 0);
}

TEST_F(Conduct, an_estimate_that_does_not_fit_is_given_all_the_same) {
  std::vector<std::string> all = words({"--dry-run", "--json", "--vocab", "byte"});
  *(std::ranges::find(all, "--batch-size") + 1) = "1000000";
  *(std::ranges::find(all, "--d-model") + 1) = "1024";
  const Finished f = toy(all, start);
  EXPECT_EQ(f.code, 1) << f.err;
  const Json json = Json::parse(f.out);
  EXPECT_GT(json["memory"]["total"], json["available_bytes"]);
  EXPECT_TRUE(json["seconds"].is_null());
  EXPECT_NE(f.err.find("not enough memory"), std::string::npos) << f.err;
}

TEST_F(Conduct, an_empty_value_takes_no_other_word) {
  std::vector<std::string> all = words({"--vocab", "byte", "--steps", "1", "--prompt=", "--quiet"});
  *(std::ranges::find(all, "--gen-every") + 1) = "1";
  const Finished f = toy(all, start);
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.err, "");
  EXPECT_EQ(f.out.find("--quiet"), std::string::npos) << f.out;
  for (const auto& [flag, what] : {std::pair{"--steps=", "--steps: expected a whole number, found ''"},
                                   {"--out=", "--out: expected a path, found ''"},
                                   {"--quiet=", "--quiet: takes no value, found ''"}}) {
    const Finished refused = toy(words({"--vocab", "byte", flag}), start);
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find(what), std::string::npos) << refused.err;
  }
  EXPECT_EQ(toy(words({"--vocab", "byte", "--steps", "1", "--separator", "--seed="}), start).code, 0) << "a value";
  EXPECT_EQ(toy({"train", "from-scratch", "--quiet=", "--help"}, start).code, 0);
}

TEST_F(Conduct, runs_of_other_vocabularies_are_judged_with_a_warning) {
  const auto trained = [&](const std::string& vocabulary) {
    const Json json = answer(words({"--vocab", vocabulary, "--steps", "4", "--eval-every", "2"}), "", start);
    return std::string(fs::path(std::string(json["run"])).filename());
  };
  const std::string bytes = trained("byte"), characters = trained("char"), again = trained("byte");
  const Finished f = toy({"runs", "compare", bytes, characters}, start);
  EXPECT_NE(f.out.find("Beware: the vocabularies differ, and with them what a token is"), std::string::npos) << f.out;
  const Json json = answer({"runs", "compare", bytes, again}, "", start);
  EXPECT_EQ(json["caution"], "");
  EXPECT_EQ(json["verdict"], "par");
  EXPECT_EQ(json["evaluations"].size(), 2u) << "the curve, not its end alone";
  EXPECT_EQ(json["basis"], "validation_whole loss at step 4");
}

TEST_F(Conduct, a_second_interruption_ends_it_at_once) {
  Finished f;
  // Before the first step begins the first interruption ends it by itself: then once more, with more time to begin.
  for (const int wait : {0, 1'000'000, 20'000'000}) {
    Process process(words({"--vocab", "byte", "--accumulate", "1000000"}), start);
    ASSERT_TRUE(process.wait_until_err("parameters, vocabulary"));
    ::usleep(wait);
    process.send(SIGINT);
    ASSERT_TRUE(process.wait_until_err("stopping after this step; Ctrl-C again ends at once"));
    ::usleep(700'000);  // signals within half a second count as one
    process.send(SIGINT);
    f = process.finish();
    if (f.err.find("interrupted after step 0") == std::string::npos) break;
  }
  EXPECT_EQ(f.code, 1) << f.err;
  EXPECT_NE(f.err.find("toy: ended at once"), std::string::npos) << f.err;
}

TEST_F(Conduct, a_terminal_that_is_closed_saves) {
  Process process(words({"--vocab", "byte", "--steps", "1000000", "--json"}), start);
  ASSERT_TRUE(process.wait_until_err("parameters, vocabulary"));
  process.send(SIGHUP);
  const Finished f = process.finish();
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_NE(f.err.find("interrupted after step"), std::string::npos) << "also beside JSON\n" << f.err;
  EXPECT_EQ(Json::parse(f.out)["end"], "interrupted");
}

TEST_F(Conduct, closed_streams_leave_the_log_whole) {
  const std::string train = TOY_PROGRAM
      " train from-scratch --corpus 'a corpus.txt' --vocab byte --d-model 16 --heads 2 --layers 1 "
      "--context 16 --threads 1 --steps 30 --gen-every 0 --out ";
  for (const char* closed : {">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"}) {
    const std::string out = "runs" + std::to_string(std::string(closed).size());
    ASSERT_EQ(shell(train + out + " " + closed), 0) << closed;
    EXPECT_EQ(shell(TOY_PROGRAM " runs show --dir " + out + " llama --check"), 0) << closed << read_bytes(file("said"));
    EXPECT_TRUE(
        fs::exists(file(out) / answer({"runs", "--dir", out}, "", start)["runs"][0]["id"] / "weights/step-30.gguf"))
        << closed;
  }
}

TEST_F(Conduct, what_is_not_finite_is_told_in_json_and_keeps_the_steps_before) {
  const Finished f = toy(
      words({"--vocab", "byte", "--lr", "900", "--beta2", "0", "--no-clip-grad", "--json", "--steps", "100"}), start);
  EXPECT_EQ(f.code, 1);
  const Json json = Json::parse(f.out);
  EXPECT_EQ(json["end"], "errored");
  const std::string error = json["error"], weights = json["weights"];
  EXPECT_NE(error.find("is not finite"), std::string::npos) << error;
  EXPECT_NE(f.err.find("toy: " + error), std::string::npos) << f.err;
  ASSERT_GT(json["steps"], 0);
  EXPECT_EQ(json["losses"].size(), json["steps"]);
  EXPECT_EQ(weights, std::string(json["run"]) + "/weights/step-" + std::to_string(json["steps"].get<int>()) + ".gguf");
  EXPECT_EQ(toy({"describe", weights}, start).code, 0);
}

TEST_F(Conduct, a_dry_run_tells_memory_first_and_may_be_interrupted) {
  const Json json = answer(words({"--dry-run", "--vocab", "byte", "--accumulate", "1000000"}), "--dry-run", start);
  EXPECT_GT(json["seconds"], 0) << "timed without training a whole step";
  std::vector<std::string> all = words({"--dry-run", "--vocab", "byte"});
  *(std::ranges::find(all, "--d-model") + 1) = "128";
  *(std::ranges::find(all, "--batch-size") + 1) = "1024";
  Process process(all, start);
  ASSERT_TRUE(process.wait_for_output());
  process.send(SIGINT);
  const Finished f = process.finish();
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.out.find("parameters"), 0u) << f.out;
  EXPECT_NE(f.err.find("nothing was written"), std::string::npos) << f.err;
}

TEST_F(Conduct, a_context_without_room_has_no_samples) {
  std::vector<std::string> all = words({"--vocab-size", "30", "--steps", "2"});
  *(std::ranges::find(all, "--context") + 1) = "1";
  *(std::ranges::find(all, "--gen-every") + 1) = "1";
  const Finished f = toy(all, start);
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_NE(f.err.find("there are no samples"), std::string::npos) << f.err;
}

TEST_F(Conduct, characters_and_vocabularies_of_files_make_models_that_work) {
  const Json by_character = answer(words({"--vocab", "char", "--steps", "3"}), "", start);
  const std::string weights = by_character["weights"];
  const Json ids = answer({"tokenize", weights, "--text", "The hen", "--no-bos"}, "", start)["ids"];
  EXPECT_EQ(ids.size(), 7u) << "a token for each character";
  const Json by_file = answer(words({"--vocab", weights, "--steps", "3"}), "", start);
  EXPECT_EQ(answer({"tokenize", by_file["weights"], "--text", "The hen", "--no-bos"}, "", start)["ids"], ids);
  EXPECT_EQ(by_file["losses"], by_character["losses"]) << "the same tokens, the same training";
  EXPECT_EQ(answer({"infer", by_file["weights"], "--prompt", "The", "--n", "3"}, "", start)["ids"].size(), 3u);
}

TEST_F(Conduct, events_of_every_kind_are_logged_and_pass_the_check) {
  const Finished f = toy(words({"--vocab", "byte", "--steps", "4", "--events-every", "2", "--events", "grad",
                                "--events", "drift", "--events", "tap", "--events", "op_timing"}),
                         start);
  ASSERT_EQ(f.code, 0) << f.err;
  const std::string id = first_run();
  EXPECT_EQ(toy({"runs", "show", id, "--check"}, start).code, 0);
  const std::string log = read_bytes(file("runs/" + id + "/events.jsonl"));
  for (const char* kind : {"grad", "drift", "tap", "op_timing"}) {
    EXPECT_NE(log.find("\"kind\":\"" + std::string(kind) + "\""), std::string::npos) << kind;
  }
}

TEST_F(Conduct, two_trained_runs_are_compared) {
  ASSERT_EQ(toy(words({"--vocab", "byte", "--steps", "40", "--lr", "1e-2", "--eval-every", "20"}), start).code, 0);
  ASSERT_EQ(toy(words({"--vocab", "byte", "--steps", "40", "--lr", "1e-5", "--eval-every", "20"}), start).code, 0);
  const Json runs = answer({"runs"}, "", start)["runs"];
  ASSERT_EQ(runs.size(), 2u);
  std::string fast = runs[0]["id"], slow = runs[1]["id"];
  if (runs[0]["loss"] > runs[1]["loss"]) std::swap(fast, slow);
  const Finished f = toy({"runs", "compare", fast, slow}, start);
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_NE(f.out.find(fast + " is ahead of " + slow), std::string::npos) << f.out;
}

TEST_F(Conduct, the_line_of_autotune_runs_as_it_is_printed) {
  const Finished tuned = toy({"train",         "autotune",
                              "--batch-sizes", "1,2",
                              "--threads",     "1",
                              "--steps",       "1",
                              "--corpus",      "a corpus.txt",
                              "--vocab-size",  "30",
                              "--d-model",     "16",
                              "--heads",       "2",
                              "--layers",      "1",
                              "--context",     "16",
                              "--dtype",       "bf16"},
                             start);
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  const std::string line = tuned.out.substr(tuned.out.rfind('\n', tuned.out.size() - 2) + 1);
  EXPECT_NE(line.find("--dtype bf16"), std::string::npos) << line;
  EXPECT_EQ(shell(line.substr(0, line.size() - 1)), 0) << line << read_bytes(file("said"));
}

}  // namespace
}  // namespace toy::testing

// toy train from-scratch --resume, and --out, as a user runs them.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "tests/cli/json_form.h"
#include "tests/cli/process.h"
#include "tests/cli/small_models.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

namespace fs = std::filesystem;

/// A finished run of six steps with a checkpoint after every two.
class Resuming : public ::testing::Test {
 protected:
  Resuming() {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "The hen number " + std::to_string(i) + " found a grain. She ate it.\n";
    write_file(folder / "corpus.txt", text);
    run = std::string(answer(training({"--steps", "6", "--save-every", "2", "--threads", "3"}), "", start)["run"]);
    id = run.filename();
  }

  static std::vector<std::string> training(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"train",     "from-scratch", "--corpus",    "corpus.txt", "--vocab",      "byte",
                                      "--d-model", "16",           "--heads",     "2",          "--layers",     "1",
                                      "--context", "16",           "--gen-every", "0",          "--eval-every", "0"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  Finished resume(const std::vector<std::string>& words, const std::string& where = "") const {
    std::vector<std::string> all = {"train", "from-scratch", "--resume"};
    all.insert(all.end(), words.begin(), words.end());
    return toy(all, {.folder = (folder / where).string()});
  }

  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder / run.string())) {
      files[entry.path().string()] = entry.is_regular_file() ? read_file(entry.path()) : "";
    }
    return files;
  }

  static void expect_line(const Finished& f, int code, const std::string& what) {
    EXPECT_EQ(f.code, code) << f.err;
    EXPECT_EQ(lines(f.err), 1) << f.err;
    EXPECT_NE(f.err.find(what), std::string::npos) << f.err;
  }

  Folder folder;
  const Start start{.folder = folder.str()};
  fs::path run;  // runs/ID
  std::string id;
};

TEST_F(Resuming, a_run_is_named_by_any_path_to_it) {
  const std::string told = id + " goes on after step 6\n";
  const auto expect_told = [&](const Finished& f) {
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_EQ(f.err.substr(0, told.size()), told);
  };
  expect_told(resume({id}));
  expect_told(resume({id + "/"}));
  expect_told(resume({run.string() + "/"}));
  expect_told(resume({"."}, run.string()));
  expect_told(resume({"./"}, run.string()));
  expect_told(resume({".."}, (run / "state").string()));
  expect_told(resume({"step-6.json"}, (run / "state").string()));
}

TEST_F(Resuming, what_is_no_run_is_told) {
  expect_line(resume({(run / "weights").string()}), 2,
              "weights is no run: there is no config.json in it; the run is " + run.string());
  expect_line(resume({"runs/"}), 2, "runs is no run: there is no config.json in it; expected runs/ID");
  expect_line(resume({"."}), 2, " is no run: there is no config.json in it");
  expect_line(resume({""}), 2, "--resume: expected");
  expect_line(resume({"corpus.txt"}), 2, "corpus.txt is no file of a run; expected runs/ID");
}

TEST_F(Resuming, a_log_that_is_gone_begins_again) {
  fs::remove(folder / (run / "events.jsonl").string());
  const Finished f = resume({id, "--steps", "8"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_NE(f.err.find("events.jsonl: the log was missing; this one begins after step 6"), std::string::npos) << f.err;
  EXPECT_EQ(answer({"runs"}, "", start)["runs"][0]["state"], "completed");
  EXPECT_TRUE(answer({"runs", "show", id, "--check"}, "", start)["complaints"].empty());
}

TEST_F(Resuming, an_older_checkpoint_begins_a_run_of_its_own) {
  const auto before = contents();
  for (const char* file : {"state/step-2.json", "state/step-2.gguf", "weights/step-2.gguf"}) {
    const Json json = answer({"train", "from-scratch", "--resume", (run / file).string()}, "", start);
    EXPECT_EQ(json["steps"], 6);
    EXPECT_EQ(json["losses"].size(), 6u);
    const fs::path other = std::string(json["run"]);
    EXPECT_EQ(other.parent_path(), "runs");
    EXPECT_NE(other, run);
    for (const char* part : {"weights/step-6.gguf", "state/step-6.gguf"}) {
      EXPECT_EQ(read_file(folder / (other / part).string()), read_file(folder / (run / part).string()));
    }
    EXPECT_TRUE(answer({"runs", "show", other.filename(), "--check"}, "", start)["complaints"].empty());
  }
  const Finished told = resume({(run / "weights/step-4.gguf").string(), "--out", "else/where"});
  EXPECT_NE(told.err.find("note: step 4 is not the newest of " + run.string() + ", which is 6 and stays"),
            std::string::npos)
      << told.err;
  EXPECT_TRUE(fs::exists(folder / "else/where"));
  expect_line(resume({(run / "weights/step-4.gguf").string(), "--steps", "3", "--out", "no/where"}), 2,
              "done 4 already");
  EXPECT_FALSE(fs::exists(folder / "no"));
  EXPECT_EQ(contents(), before);
}

TEST_F(Resuming, a_damaged_file_that_was_named_is_told) {
  fs::resize_file(folder / (run / "weights/step-6.gguf").string(), 100);
  expect_line(resume({(run / "weights/step-6.gguf").string()}), 1,
              "step-6.gguf: expected 40480 bytes, found 100; --resume " + run.string() + " goes on after step 4");
}

/// Threads of a training that goes on for a while, and the number that config.json keeps.
std::pair<int, int> threads(std::vector<std::string> words, const Start& start, const fs::path& config) {
  words.insert(words.end(), {"--steps", "2000", "--save-every", "0"});
  Process process(words, start);
  EXPECT_TRUE(process.wait_for_output());
  const int running = std::stoi(process.status("Threads"));
  process.send(SIGINT);
  EXPECT_EQ(process.finish().code, 0);
  return {running, Json::parse(read_file(config))["threads"].get<int>()};
}

TEST_F(Resuming, keeps_the_number_of_threads) {
  const fs::path config = folder / (run / "config.json").string();
  const auto same = threads({"train", "from-scratch", "--resume", id}, start, config);
  const auto one = threads({"train", "from-scratch", "--resume", id, "--threads", "1"}, start, config);
  EXPECT_EQ(same.second, 3);
  EXPECT_EQ(one.second, 1);
  EXPECT_EQ(same.first - one.first, 2);
}

TEST_F(Resuming, keeps_the_simd_level_or_says_so) {
  const auto trained = [&](const std::string& steps) {
    return fs::path(std::string(answer(training({"--steps", steps, "--simd", "ref"}), "", start)["run"]));
  };
  const fs::path halves = trained("4"), straight = trained("8");
  const Finished f = resume({halves.string(), "--steps", "8"});
  EXPECT_NE(f.err.find("note: at SIMD level ref, as before, for the same bytes; --simd "), std::string::npos) << f.err;
  for (const char* part : {"weights/step-8.gguf", "state/step-8.gguf"}) {
    EXPECT_EQ(read_file(folder / (halves / part).string()), read_file(folder / (straight / part).string())) << part;
  }
  EXPECT_EQ(Json::parse(read_file(folder / (halves / "config.json").string()))["simd"], "ref");
  EXPECT_EQ(resume({id, "--steps", "7"}).err.find("SIMD"), std::string::npos);
  EXPECT_EQ(resume({id, "--simd", "ref"}).code, 0) << "makes no step";
  EXPECT_EQ(resume({id}).err.find("SIMD"), std::string::npos) << "still that of the steps";
  const Finished other = resume({id, "--steps", "8", "--simd", "ref"});
  EXPECT_NE(other.err.find("; at ref it does not end with the same bytes"), std::string::npos) << other.err;
}

TEST_F(Resuming, a_checkpoint_that_is_not_there_names_those_that_are) {
  expect_line(resume({(run / "weights/step-5.gguf").string()}), 1,
              "step-5.gguf is not there; " + run.string() + " has checkpoints of these steps: 2, 4, 6");
  expect_line(resume({"weights/step-5.gguf"}, run.string()), 1, id + " has checkpoints of these steps: 2, 4, 6");
}

TEST_F(Resuming, a_run_that_ended_before_its_first_step_is_told) {
  fs::create_directories(folder / "runs/never");
  write_file(folder / "runs/never/events.jsonl", "");
  expect_line(resume({"never"}), 1, "runs/never ended before its first step, and nothing of it was kept; begin anew");
  fs::remove(folder / (run / "config.json").string());
  fs::remove_all(folder / (run / "state").string());
  expect_line(resume({id}), 1, "config.json: ");
}

TEST_F(Resuming, options_without_effect_are_refused) {
  expect_line(resume({id, "--events-every", "3"}), 2, "--events-every needs --events");
  expect_line(resume({id, "--div-crit", "5"}), 2, "--div-crit compares with the validation loss");
  expect_line(resume({id, "--prompt", "a"}), 2, "--prompt needs --gen-every above 0");
  const Finished f = resume({(run / "state/step-6.gguf").string(), "--out", "other"});
  const std::string note = "note: --out is for a new run; this one goes on where it is\n";
  EXPECT_NE(f.err.find(note), std::string::npos) << f.err;
  EXPECT_NE(resume({run.string(), "--out", "other"}).err.find(note), std::string::npos);
  EXPECT_EQ(resume({id, "--out", "./runs/"}).err.find(note), std::string::npos) << "where it is looked for";
}

TEST_F(Resuming, a_flow_that_is_gone_is_written_again) {
  const std::string before = read_file(folder / (run / "flow.json").string());
  fs::remove(folder / (run / "flow.json").string());
  EXPECT_EQ(resume({id, "--steps", "7"}).code, 0);
  EXPECT_EQ(read_file(folder / (run / "flow.json").string()), before);
}

TEST_F(Resuming, another_end_of_a_cosine_is_told) {
  const Json json = answer(training({"--steps", "6", "--warmup-steps", "1", "--cosine", "--threads", "1"}), "", start);
  const std::string cosine = fs::path(std::string(json["run"])).filename();
  const std::string told = "note: the cosine now ends at step 12, not 6: the learning rate goes from ";
  EXPECT_NE(resume({cosine, "--steps", "12"}).err.find(told), std::string::npos);
  EXPECT_EQ(resume({cosine, "--steps", "12"}).err.find("the cosine now"), std::string::npos);
  EXPECT_EQ(resume({id, "--steps", "12"}).err.find("the cosine now"), std::string::npos);
}

TEST_F(Resuming, the_command_that_is_printed_can_be_pasted) {
  if (std::system("bash -c true") != 0) GTEST_SKIP() << "no bash";
  const std::string odd = "tab\tquote'back\\slash\x01\xff";
  fs::rename(folder / run.string(), folder / odd);
  const Finished f = resume({odd, "--steps", "100000000", "--save-every", "0", "--max-time", "0.1"});
  EXPECT_EQ(f.code, 0) << f.err;
  const std::string begin = "go on with: ";
  const std::size_t at = f.err.find(begin);
  ASSERT_NE(at, std::string::npos) << f.err;
  const std::string command = f.err.substr(at + begin.size(), f.err.find('\n', at) - at - begin.size());
  write_file(folder / "paste.sh", command + " --max-time 0\n");
  const std::string pasted = "cd " + folder.str() + " && bash paste.sh > pasted 2>&1";
  EXPECT_EQ(std::system(pasted.c_str()), 0) << command << read_file(folder / "pasted");
}

TEST_F(Resuming, models_are_found_from_the_files_beside_them) {
  const std::string model = (run / "weights/step-4.gguf").string();
  for (std::vector<std::string> verb : {std::vector<std::string>{"infer"}, {"describe"}, {"eval", "--text", "a"}}) {
    const auto with = [&](const std::string& path) {
      auto words = verb;
      words.insert(words.begin() + 1, path);
      return toy(words, start);
    };
    expect_line(with((run / "state/step-4.gguf").string()), 2, "the model of that step is " + model);
    expect_line(with((run / "state/step-4.json").string()), 2, "the model of that step is " + model);
    for (const std::string& name : {run.string(), run.string() + "/", id, std::string("last")}) {
      auto words = verb;
      words.insert(words.begin() + 1, name);
      const Finished f = toy(words, {.input = "a", .folder = folder.str()});
      EXPECT_EQ(f.code, 0) << name << f.err;
      EXPECT_NE(f.err.find("is a run; its newest model is "), std::string::npos) << f.err;
      EXPECT_NE(f.err.find("weights/step-6.gguf\n"), std::string::npos) << f.err;
    }
    expect_line(with("runs"), 1, "is a directory, expected a file");
  }
}

TEST_F(Resuming, an_out_that_is_no_folder_is_told) {
  write_file(folder / "file", "x");
  fs::create_symlink("nowhere", folder / "dangling");
  for (const char* out : {"file", "file/", "file/deep"}) {
    expect_line(toy(training({"--out", out}), start), 2, "--out: file exists and is no folder");
    expect_line(resume({id, "--out", out}), 2, "--out: file exists and is no folder");
  }
  expect_line(toy(training({"--out", "dangling"}), start), 2, "--out: dangling exists and is a link to nothing");
}

TEST_F(Resuming, a_start_that_fails_leaves_no_folder) {
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--prompt", std::string(100, 'x')},
                                               {"--batch-size", "1000000", "--accumulate", "1"}}) {
    std::vector<std::string> words = training({"--out", "new/deep"});
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_NE(toy(words, start).code, 0);
    EXPECT_FALSE(fs::exists(folder / "new"));
  }
  fs::create_directories(folder / "kept");
  EXPECT_NE(toy(training({"--out", "kept", "--prompt", std::string(100, 'x')}), start).code, 0);
  EXPECT_TRUE(fs::is_empty(folder / "kept"));
}

}  // namespace
}  // namespace toy::testing

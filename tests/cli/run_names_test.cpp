// Runs by a part of their names, by a name of one's own, and removed.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "toy/io/events.h"

#include "tests/cli/json_form.h"
#include "tests/cli/process.h"
#include "tests/cli/small_models.h"
#include "tests/train/small_run.h"

namespace toy::testing {
namespace {

namespace fs = std::filesystem;

class RunNames : public ::testing::Test {
 protected:
  RunNames() {
    write_run(runs / "llama-20260530-001", {.started_at = "2026-05-30T10:00:00Z"});
    write_run(runs / "llama-20260531-002", {.started_at = "2026-06-02T10:00:00Z"});
    write_run(runs / "gpt2-20260531-003", {.started_at = "2026-06-01T10:00:00Z"});
    fs::create_directories(runs / "broken");
  }
  std::string shown(const std::string& id) const { return answer({"runs", "show", id}, "", start)["run"]["id"]; }
  Finished remove(std::vector<std::string> words) const {
    words.insert(words.begin(), {"runs", "rm"});
    return toy(words, start);
  }
  void expect_refused(const std::vector<std::string>& words, int code, const std::string& hint) const {
    const Finished f = remove(words);
    EXPECT_EQ(f.code, code) << f.err;
    EXPECT_EQ(f.out, "");
    EXPECT_EQ(lines(f.err), 1) << f.err;
    EXPECT_NE(f.err.find(hint), std::string::npos) << f.err;
  }
  /// Every path below the folder, links as they are.
  std::vector<std::string> tree() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder.str())) all.push_back(entry.path().string());
    std::ranges::sort(all);
    return all;
  }

  Folder folder;
  const fs::path runs = fs::path(folder.str()) / "runs";
  const Start start{.environment = {{"LC_ALL", "C"}}, .folder = folder.str()};
};

TEST_F(RunNames, a_part_that_no_other_has_and_the_last_one) {
  EXPECT_EQ(shown("003"), "gpt2-20260531-003");
  EXPECT_EQ(shown("30-0"), "llama-20260530-001");
  EXPECT_EQ(shown("last"), "llama-20260531-002");
  EXPECT_EQ(answer({"runs", "compare", "002", "001"}, "", start)["run"]["id"], "llama-20260531-002");
  // A beginning counts before a part, a whole name before both.
  write_run(runs / "my-gpt2", {});
  EXPECT_EQ(shown("gpt2"), "gpt2-20260531-003");
  write_run(runs / "gpt2", {});
  EXPECT_EQ(shown("gpt2"), "gpt2");
  const Finished several = toy({"runs", "show", "20260531"}, start);
  EXPECT_EQ(several.code, 1);
  EXPECT_NE(several.err.find("'20260531' is in the names of 2 runs in runs"), std::string::npos) << several.err;
  const Finished none = toy({"runs", "show", "last", "--dir", "nowhere"}, start);
  EXPECT_NE(none.err.find("there is no run in nowhere yet"), std::string::npos) << none.err;
}

TEST_F(RunNames, show_begins_with_losses_and_samples) {
  const std::string text = toy({"runs", "show", "last"}, start).out;
  const auto curve = text.find("Training loss"), sample = text.find("Sample of step"),
             parameters = text.find("Hyperparameters");
  EXPECT_LT(curve, sample) << text;
  EXPECT_LT(sample, parameters) << text;
}

TEST_F(RunNames, a_run_without_a_model_says_so) {
  const Finished f = toy({"infer", "003", "--prompt", "a"}, start);
  EXPECT_EQ(f.code, 1);
  EXPECT_NE(f.err.find("gpt2-20260531-003: is a run without a checkpoint"), std::string::npos) << f.err;
  const Finished none = toy({"infer", "nobody", "--prompt", "a"}, start);
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("nobody: no such file, and no model or run has this name"), std::string::npos) << none.err;
  EXPECT_NE(toy({"infer", "llama", "--prompt", "a"}, start).err.find("2 runs"), std::string::npos);
}

TEST_F(RunNames, a_training_gets_the_name_that_it_is_given) {
  const std::vector<std::string> words{
      "train",    "from-scratch", "--steps",     "2",        "--d-model", "16",        "--heads",
      "2",        "--vocab",      "byte",        "--layers", "1",         "--context", "16",
      "--corpus", "text",         "--gen-every", "0",        "--name"};
  write_file(folder / "text", std::string(2000, 'a') + "hen");
  const auto named = [&](const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = words;
    all.push_back(name);
    all.insert(all.end(), more.begin(), more.end());
    return toy(all, start);
  };
  EXPECT_EQ(named("my.first_run-1").code, 0);
  EXPECT_TRUE(fs::exists(runs / "my.first_run-1/weights/step-2.gguf"));
  EXPECT_EQ(shown("first"), "my.first_run-1");
  EXPECT_EQ(toy({"infer", "first_run", "--prompt", "a", "--n", "2"}, start).code, 0);
  const Finished taken = named("my.first_run-1");
  EXPECT_EQ(taken.code, 2);
  EXPECT_NE(taken.err.find("there is a run or file of this name already"), std::string::npos) << taken.err;
  EXPECT_TRUE(fs::exists(runs / "my.first_run-1/weights/step-2.gguf"));
  for (const char* name : {"", "last", ".", "..", "../x", "a/b", "-a", ".a", "a b", "a\n"}) {
    EXPECT_EQ(named(name).code, 2) << name;
  }
  EXPECT_EQ(named(std::string(101, 'a')).code, 2);
  EXPECT_NE(named("x", {"--resume", "first"}).err.find("only one of --resume, --name"), std::string::npos);

  // The whole run is removed, and nothing beside it.
  const Finished removed = remove({"first", "--yes"});
  EXPECT_EQ(removed.out, "removed runs/my.first_run-1\n") << removed.err;
  EXPECT_FALSE(fs::exists(runs / "my.first_run-1"));
  EXPECT_TRUE(fs::exists(runs / "gpt2-20260531-003"));
}

TEST_F(RunNames, rm_removes_runs) {
  const Json json = answer({"runs", "rm", "003", "gpt2", "last", "--yes"}, "", start);
  EXPECT_EQ(json["removed"], Json({"runs/gpt2-20260531-003", "runs/llama-20260531-002"}));
  EXPECT_GT(json["bytes"], 100);
  EXPECT_FALSE(fs::exists(runs / "gpt2-20260531-003"));
  EXPECT_TRUE(fs::exists(runs / "llama-20260530-001"));
}

TEST_F(RunNames, rm_asks_and_takes_nothing_but_runs) {
  write_file(folder / "precious", "x");
  fs::create_directory_symlink("../runs/llama-20260530-001", runs / "linked");
  write_run(runs / "with-notes", {});
  write_file(runs / "with-notes/notes.txt", "mine");
  write_run(runs / "with-link", {});
  fs::create_directories(runs / "with-link/weights");
  fs::create_symlink(folder / "precious", runs / "with-link/weights/step-3.gguf");
  write_run(runs / "with-linked-folder", {});
  fs::create_directory_symlink(folder.str(), runs / "with-linked-folder/state");
  write_run(runs / "with-folder", {});
  fs::create_directories(runs / "with-folder/weights/deep");
  const auto before = tree();
  expect_refused({"003"}, 2, "remove runs/gpt2-20260531-003");
  expect_refused({"003", "nobody", "--yes"}, 1, "there is no run 'nobody'");
  expect_refused({"003", "linked", "--yes"}, 1, "runs/linked: is a link or a file, no folder");
  expect_refused({"runs/linked/", "--yes"}, 1, "is a link or a file, no folder");
  expect_refused({"003", "with-notes", "--yes"}, 1, "notes.txt: is nothing that a run makes");
  expect_refused({"with-link", "--yes"}, 1, "step-3.gguf: is nothing that a run makes");
  expect_refused({"with-linked-f", "--yes"}, 1, "state: is a link or a file, no folder");
  expect_refused({"with-folder", "--yes"}, 1, "deep: is nothing that a run makes");
  expect_refused({"broken", "--yes"}, 1, "is no run");
  expect_refused({".", "--yes"}, 1, "is nothing that a run makes");
  EXPECT_EQ(tree(), before);
}

TEST_F(RunNames, rm_leaves_a_run_that_is_being_trained) {
  const EventWriter writer(runs / "gpt2-20260531-003/events.jsonl",
                           fs::file_size(runs / "gpt2-20260531-003/events.jsonl"));
  expect_refused({"003", "--yes"}, 1, "is being trained by another program");
}

}  // namespace
}  // namespace toy::testing

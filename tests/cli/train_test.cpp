// toy train, as a user runs it.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "toy/text/bytes.h"
#include "toy/train/stories.h"

#include "tests/cli/json_form.h"
#include "tests/cli/process.h"
#include "tests/cli/small_models.h"
#include "tests/io/scratch.h"
#include "tests/sanitized.h"

namespace toy::testing {
namespace {

class Train : public ::testing::Test {
 protected:
  Train() {
    std::ofstream file(std::filesystem::path(folder.str()) / "corpus.txt", std::ios::binary);
    for (int i = 0; i < 300; ++i) file << "The hen number " << i << " found a grain.\r\nShe ate it and slept.\r\n";
  }
  /// A training of a moment, in the folder.
  std::vector<std::string> words(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"train",     "from-scratch", "--corpus",  "corpus.txt", "--vocab-size", "60",
                                    "--d-model", "16",           "--heads",   "2",          "--layers",     "1",
                                    "--context", "16",           "--threads", "1",          "--steps",      "6"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Finished run(const std::vector<std::string>& more = {}) const { return toy(words(more), start); }

  Folder folder;
  const Start start{.folder = folder.str()};
};

TEST_F(Train, answers_in_json_and_writes_a_model_that_other_verbs_read) {
  const Json json = answer(words({"--lr", "1e-2"}), "", start);
  EXPECT_EQ(json["steps"], 6);
  EXPECT_EQ(json["losses"].size(), 6u);
  EXPECT_EQ(json["losses"].back(), json["final_loss"]);
  EXPECT_LT(json["losses"].back(), json["losses"].front());
  EXPECT_EQ(json["end"], "completed");
  const std::string weights = json["weights"];
  EXPECT_EQ(weights, std::string(json["run"]) + "/weights/step-6.gguf");
  EXPECT_EQ(answer({"infer", weights, "--prompt", "The hen", "--n", "4"}, "", start)["ids"].size(), 4u);
  EXPECT_GT(answer({"eval", weights, "--text", "The hen"}, "", start)["nll"], 0);
  EXPECT_EQ(answer({"describe", weights}, "", start)["architecture"], "llama");
  const Json runs = answer({"runs"}, "", start);
  ASSERT_EQ(runs["runs"].size(), 1u);
  EXPECT_EQ(runs["runs"][0]["loss"], json["final_loss"]);
  for (const char* file : {"config.json", "flow.json", "events.jsonl", "state/step-6.json"}) {
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(folder.str()) / json["run"] / file)) << file;
  }
}

TEST_F(Train, the_loss_curve_is_the_same_in_every_run) {
  const Finished a = run(), b = run({"--threads", "1"});
  EXPECT_EQ(a.code, 0) << a.err;
  EXPECT_EQ(b.code, 2) << "--threads twice";
  EXPECT_EQ(run().out, a.out);
  EXPECT_NE(a.out.find("step      6  loss "), std::string::npos) << a.out;
  EXPECT_NE(a.out.find("step      0  sample  Once upon a time"), std::string::npos) << a.out;
}

/// The number after `option` in a text.
std::string number_after(const std::string& text, const std::string& option) {
  const auto at = text.find(option + " ");
  if (at == std::string::npos) return "";
  const auto begin = at + option.size() + 1;
  return text.substr(begin, text.find_first_not_of("0123456789", begin) - begin);
}

TEST_F(Train, a_time_is_filled_with_a_whole_schedule) {
  std::vector<std::string> all = words({"--cosine", "--gen-every", "0", "--json"});
  const auto option = std::ranges::find(all, "--steps");
  *option = "--fit-time";
  *(option + 1) = "0.3";
  const Finished fitted = toy(all, start);
  ASSERT_EQ(fitted.code, 0) << fitted.err;
  const std::string steps = number_after(fitted.err, "--steps"), warmup = number_after(fitted.err, "--warmup-steps");
  ASSERT_FALSE(steps.empty() || warmup.empty()) << fitted.err;
  EXPECT_EQ(std::stoi(warmup), std::max(1, std::stoi(steps) / 10));
  const Json a = Json::parse(fitted.out);
  EXPECT_EQ(a["steps"], std::stoi(steps));
  EXPECT_EQ(a["end"], "completed");
  const std::filesystem::path runs = folder.str();
  EXPECT_EQ(Json::parse(read_file(runs / a["run"] / "config.json"))["training"]["steps"], std::stoi(steps));

  // The same as when these numbers are given.
  *option = "--steps";
  *(option + 1) = steps;
  all.insert(all.end(), {"--warmup-steps", warmup});
  const Json b = Json::parse(toy(all, start).out);
  EXPECT_EQ(read_file(runs / b["weights"]), read_file(runs / a["weights"]));
}

TEST_F(Train, an_interruption_saves_and_resuming_ends_like_a_run_without) {
  const std::vector<std::string> many = {"--gen-every", "0", "--eval-every", "0", "--save-every", "0"};
  std::vector<std::string> all = words(many);
  *(std::ranges::find(all, "--steps") + 1) = "400";
  {
    Process process(all, start);
    ASSERT_TRUE(process.wait_for_output());
    process.send(SIGTERM);
    const Finished f = process.finish();
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_NE(f.err.find("interrupted after step"), std::string::npos) << f.err;
    EXPECT_NE(f.err.find("--resume runs/llama-"), std::string::npos) << f.err;
  }
  const std::string id = answer({"runs"}, "", start)["runs"][0]["id"];
  EXPECT_EQ(answer({"runs"}, "", start)["runs"][0]["state"], "interrupted");
  const Json resumed = answer({"train", "from-scratch", "--resume", id, "--steps", "40"}, "", start);
  const Json again =
      answer({"train", "from-scratch", "--resume", "runs/" + id, "--steps", "400", "--threads", "2"}, "", start);
  EXPECT_EQ(again["steps"], 400);
  const Json straight = answer(all, "", start);
  EXPECT_EQ(again["losses"], straight["losses"]);
  EXPECT_EQ(again["val_loss"], straight["val_loss"]);
}

TEST_F(Train, a_reader_that_leaves_ends_it_in_good_order) {
  std::vector<std::string> all = words({"--gen-every", "0", "--save-every", "0", "--eval-every", "0"});
  *(std::ranges::find(all, "--steps") + 1) = "100000";
  {
    Process process(all, start);
    ASSERT_TRUE(process.wait_for_output());
    process.stop_reading();
    const Finished f = process.finish();
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_NE(f.err.find("interrupted after step"), std::string::npos) << f.err;
  }
  const Json first = answer({"runs"}, "", start)["runs"][0];
  EXPECT_EQ(first["state"], "interrupted");
  const std::string steps = std::to_string(first["steps"].get<std::int64_t>());
  const Json resumed = answer({"train", "from-scratch", "--resume", first["id"], "--steps", steps}, "", start);
  EXPECT_EQ(resumed["losses"].size(), first["steps"]);

  std::string command = "cd " + folder.str() + " && " TOY_PROGRAM;
  for (const std::string& word : all) command += " " + word;
  EXPECT_EQ(WEXITSTATUS(std::system((command + " > /dev/full 2> full.err").c_str())), 1);
  const std::string err = read_bytes(std::filesystem::path(folder.str()) / "full.err");
  EXPECT_NE(err.find("interrupted after step 1;"), std::string::npos) << err;
  EXPECT_NE(err.find("toy: the answer cannot be written to stdout: No space left"), std::string::npos) << err;
}

TEST_F(Train, an_interruption_of_the_last_validation_is_told) {
  std::vector<std::string> all = words({"--gen-every", "0", "--eval-every", "0", "--val-share", "0.9"});
  std::ofstream large(std::filesystem::path(folder.str()) / "corpus.txt", std::ios::binary);
  for (int i = 0; i < 60000; ++i) large << "The hen number " << i << " found a grain. She ate it and slept.\n";
  large.close();
  Process process(all, start);
  ASSERT_TRUE(process.wait_until_err("saved runs/"));
  process.send(SIGINT);
  const Finished f = process.finish();
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_NE(f.err.find("interrupted after step 6; go on with: " TOY_PROGRAM " train from-scratch --resume"),
            std::string::npos)
      << f.err;
  EXPECT_EQ(answer({"runs"}, "", start)["runs"][0]["state"], "interrupted");
}

TEST_F(Train, samples_that_cannot_begin_are_told) {
  const Finished usual = run({"--vocab", "byte"});
  EXPECT_EQ(usual.code, 2) << "--vocab-size is for bpe";
  std::vector<std::string> all = words();
  all.erase(std::ranges::find(all, "--vocab-size"), std::ranges::find(all, "--vocab-size") + 2);
  all.insert(all.end(), {"--vocab", "byte"});
  const Finished f = toy(all, start);
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_NE(f.err.find("note: 'Once upon a time' leaves no room in the context of 16"), std::string::npos) << f.err;
  all.insert(all.end(), {"--prompt", "Once upon a time"});
  const Finished asked = toy(all, start);
  EXPECT_EQ(asked.code, 2) << asked.err;
  EXPECT_NE(asked.err.find("prompt: 'Once upon a time' leaves no room"), std::string::npos) << asked.err;
}

TEST_F(Train, recomputing_gives_the_same_losses) {
  EXPECT_EQ(run({"--recompute"}).out, run().out);
  const auto memory = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"--dry-run", "--context", "256", "--layers", "8", "--corpus", "corpus.txt"};
    all.insert(all.begin(), {"train", "from-scratch"});
    all.insert(all.end(), more.begin(), more.end());
    return answer(all, "--dry-run", start)["memory"]["activations"].get<std::int64_t>();
  };
  EXPECT_LT(2 * memory({"--recompute"}), memory({}));
}

TEST_F(Train, bfloats_without_an_instruction_for_them_are_told) {
  const std::string told = "--dtype f32 is faster";
  EXPECT_NE(run({"--simd", "ref", "--dtype", "bf16"}).err.find(told), std::string::npos);
  EXPECT_EQ(run({"--simd", "ref"}).err.find(told), std::string::npos);
}

TEST_F(Train, resuming_keeps_what_the_run_was_begun_with) {
  const Json json = answer(words(), "", start);
  const std::string id = std::filesystem::path(std::string(json["run"])).filename();
  const auto refused = [&](std::vector<std::string> more, const std::string& what) {
    std::vector<std::string> all = {"train", "from-scratch", "--resume"};
    all.insert(all.end(), more.begin(), more.end());
    const Finished f = toy(all, start);
    EXPECT_EQ(f.code, 2) << f.err;
    EXPECT_EQ(lines(f.err), 1) << f.err;
    EXPECT_NE(f.err.find(what), std::string::npos) << f.err;
  };
  refused({id, "--d-model", "32"}, "--d-model: the run was begun with another value");
  refused({"corpus.txt"}, "is no file of a run");
  refused({id, "--steps", "3"}, "steps: the run has done 6 already");
  const Finished unknown = toy({"train", "from-scratch", "--resume", "llama-1"}, start);
  EXPECT_NE(unknown.code, 0);
  EXPECT_EQ(lines(unknown.err), 1) << unknown.err;
  for (const char* file : {"/weights/step-6.gguf", "/state/step-6.json", "/state/step-6.gguf"}) {
    const Json more = answer({"train", "from-scratch", "--resume", std::string(json["run"]) + file}, "", start);
    EXPECT_EQ(more["steps"], 6);
  }
}

TEST_F(Train, wrong_questions_are_answered_in_one_line) {
  const auto refused = [&](const std::vector<std::string>& more, const std::string& what, int code = 2) {
    std::vector<std::string> all = {"train", "from-scratch"};
    all.insert(all.end(), more.begin(), more.end());
    const Finished f = toy(all, start);
    EXPECT_EQ(f.code, code) << f.err;
    EXPECT_EQ(lines(f.err), 1) << f.err;
    EXPECT_NE(f.err.find(what), std::string::npos) << f.err;
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(folder.str()) / "runs" / "llama-19700101-001"));
  };
  refused({"--cosine"}, "--cosine needs --warmup-steps or --fit-time");
  refused({"--fit-time", "9", "--steps", "9"}, "give only one of --steps, --fit-time");
  refused({"--fit-time", "9", "--resume", "a-run"}, "give only one of --resume, --fit-time");
  refused({"--fit-time", "9", "--dry-run"}, "give only one of --dry-run, --fit-time");
  refused({"--fit-time", "0"}, "--fit-time");
  refused({"--d-model", "64", "--heads", "5"}, "d-model 64 is not a multiple of heads 5");
  refused({"--corpus", "none-*.txt"}, "matches no file");
  refused({"--steps", "0"}, "--steps");
  refused({"--lr", "nan"}, "--lr");
  refused({"--batch-size", "-3"}, "--batch-size");
  refused({"--dtype", "f64"}, "--dtype");
  refused({"--clip-grad", "1", "--no-clip-grad"}, "give only one of");
  refused({"--corpus", "corpus.txt", "--context", "30000", "--batch-size", "1"}, "a context of 30000 needs");
  refused({"--vocab", "nothing.gguf"}, "nothing.gguf", 1);
  refused({"--vocab", "wordpiece"}, "expected bpe, char, byte or a GGUF file, found 'wordpiece'");
  refused({"--batch-size", "1048576", "--context", "1048576"}, "batch-size 1048576 times context 1048576: expected");
  refused({"--stepz", "4"}, "did you mean --steps");
  refused({"--d-model", "8192", "--layers", "100", "--heads", "64"}, "not enough memory", 1);
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(folder.str()) / "runs"));
  const Finished group = toy({"train", "from-scrach"}, start);
  EXPECT_EQ(group.code, 2);
  EXPECT_NE(group.err.find("did you mean train from-scratch"), std::string::npos) << group.err;
}

TEST_F(Train, divergence_ends_it_with_exit_code_1_and_a_checkpoint) {
  const Finished f = diverging_training(folder.str());
  EXPECT_EQ(f.code, 1) << f.err;
  EXPECT_NE(f.err.find("(the limit is 50 %); stopped, saved runs/llama-"), std::string::npos) << f.err;
}

TEST_F(Train, a_dry_run_estimates_and_writes_nothing) {
  std::vector<std::string> all = words({"--dry-run"});
  const Json json = answer(all, "--dry-run", start);
  EXPECT_GT(json["memory"]["total"], 0);
  EXPECT_GT(json["seconds"], 0);
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(folder.str()) / "runs"));
}

TEST_F(Train, what_is_odd_about_a_corpus_is_told_before_anything_is_tried) {
  std::ofstream(std::filesystem::path(folder.str()) / "odd.txt", std::ios::binary)
      << std::string(400, 'a') << "\xFF" << std::string(400, 'b');
  const std::string note = "odd.txt: byte 400 is not UTF-8";
  const std::vector<std::string> small = {"--corpus", "odd.txt", "--context", "16", "--d-model", "16",  "--heads", "2",
                                          "--layers", "1",       "--threads", "1",  "--vocab",   "byte"};
  for (const std::vector<std::string>& question : {std::vector<std::string>{"from-scratch", "--dry-run"},
                                                   {"autotune", "--batch-sizes", "1", "--steps", "1"},
                                                   {"from-scratch", "--steps", "1", "--gen-every", "0"}}) {
    std::vector<std::string> all = {"train"};
    all.insert(all.end(), question.begin(), question.end());
    all.insert(all.end(), small.begin(), small.end());
    const Finished f = toy(all, start);
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_NE(f.err.find(note), std::string::npos) << f.err;
  }
}

TEST_F(Train, the_estimate_is_what_it_takes) {
  if (sanitized()) GTEST_SKIP() << "sanitizers take memory of their own";
  const std::int64_t idle = toy({"--version"}).peak_bytes;
  std::ofstream large(std::filesystem::path(folder.str()) / "large.txt", std::ios::binary);
  for (int i = 0; large.tellp() < 8'000'000; ++i) large << story(1, static_cast<std::uint64_t>(i)) << "\n";
  large.close();
  // Where no list of expressions breaks a text, and where texts are many.
  std::ofstream letters(std::filesystem::path(folder.str()) / "letters.txt", std::ios::binary);
  for (std::uint64_t i = 0, x = 1; i < 3'000'000; ++i) letters << "ACGT"[(x = x * 6364136223846793005U + 1) >> 62];
  letters.close();
  std::ofstream many(std::filesystem::path(folder.str()) / "many.txt", std::ios::binary);
  for (int i = 0; i < 500'000; ++i) many << "line" << i % 997 << "|";
  many.close();
  // Thousands of characters, of which the i-th stands as often as 1 / i: pairs of neighbours are many.
  std::ofstream signs(std::filesystem::path(folder.str()) / "signs.txt", std::ios::binary);
  for (std::uint64_t i = 0, x = 1; i < 1'500'000; ++i) {
    x = x * 6364136223846793005U + 1;
    std::string sign;
    append_utf8(sign, static_cast<char32_t>(0x4E00 + std::pow(5000, static_cast<double>(x >> 11) * 0x1p-53)));
    signs << sign;
  }
  signs.close();
  // A vocabulary from a model of 27 MB, of which it is a small part.
  const std::string model = answer({"train",        "from-scratch",
                                    "--corpus",     "corpus.txt",
                                    "--vocab-size", "60",
                                    "--d-model",    "256",
                                    "--heads",      "4",
                                    "--layers",     "8",
                                    "--context",    "16",
                                    "--batch-size", "1",
                                    "--steps",      "1",
                                    "--gen-every",  "0"},
                                   "", start)["weights"];
  std::vector<std::vector<std::string>> shapes = {
      {"--d-model", "64", "--layers", "2"},
      {"--d-model", "128", "--batch-size", "16", "--arch", "gpt2"},
      {"--d-model", "128", "--batch-size", "16", "--recompute"},
      {"--d-model", "128", "--batch-size", "128", "--recompute"},
      {"--d-model", "256", "--heads", "4", "--layers", "8", "--batch-size", "1", "--accumulate", "8"},
      {"--d-model", "256", "--heads", "4", "--layers", "8", "--batch-size", "2", "--accumulate", "3", "--recompute"},
      {"--corpus", "corpus.txt", "--d-model", "16", "--vocab", model},
      {"--corpus", "large.txt", "--d-model", "16", "--vocab", "byte", "--val-share", "0.001"},
      {"--corpus", "large.txt", "--d-model", "16", "--vocab", "char", "--val-share", "0.001"},
      {"--corpus", "large.txt", "--d-model", "16", "--vocab", model, "--val-share", "0.001"},
      {"--corpus", "letters.txt", "--d-model", "16", "--vocab-size", "100", "--val-share", "0.001"},
      {"--corpus", "signs.txt", "--d-model", "16", "--vocab-size", "300", "--val-share", "0.001"},
      {"--corpus", "many.txt", "--separator", "|", "--d-model", "16", "--vocab", "byte", "--val-share", "0.001"},
      {"--corpus", "large.txt", "--d-model", "16", "--vocab-size", "200", "--val-share", "0.001"},
      {"--corpus", "signs.txt", "--d-model", "16", "--vocab-size", "8000", "--val-share", "0.001"},
      {"--corpus", "letters.txt", "--d-model", "16", "--vocab-size", "8000", "--val-share", "0.001"}};
  if (const char* reference = std::getenv("TOY_REFERENCE")) {
    for (const char* name : {"gpt-2", "llama-bpe"}) {
      // As wide as a panel of the widest level: narrower levels touch half of one that is not full.
      shapes.push_back({"--corpus", "large.txt", "--d-model", "32", "--val-share", "0.001", "--vocab",
                        std::string(reference) + "/vocab/ggml-vocab-" + name + ".gguf"});
      shapes.push_back(shapes.back());
      shapes.back()[1] = "letters.txt";
    }
  }
  for (const std::vector<std::string>& shape : shapes) {
    SCOPED_TRACE(::testing::PrintToString(shape));
    std::vector<std::string> all = {"train", "from-scratch", "--threads", "1", "--context", "128", "--gen-every", "0"};
    all.insert(all.end(), shape.begin(), shape.end());
    if (std::ranges::count(shape, "--corpus") == 0) {
      all.insert(all.end(), {"--corpus", "corpus.txt", "--vocab-size", "60"});
    }
    std::vector<std::string> dry = all, real = all;
    dry.emplace_back("--dry-run");
    real.insert(real.end(), {"--steps", "3"});
    const auto expected = answer(dry, "--dry-run", start)["memory"]["total"].get<std::int64_t>();
    const std::int64_t found = toy(real, start).peak_bytes - idle;
    EXPECT_LT(std::abs(expected - found), std::max<std::int64_t>(8 << 20, found / 20)) << expected << " " << found;
  }
}

TEST_F(Train, autotune_prints_a_command_that_runs) {
  const Json json = answer(
      {"train",        "autotune", "--batch-sizes", "1,2", "--threads", "1", "--steps",  "1", "--corpus",  "corpus.txt",
       "--vocab-size", "30",       "--d-model",     "16",  "--heads",   "2", "--layers", "1", "--context", "16"},
      "", start);
  EXPECT_EQ(json["trials"].size(), 2u);
  std::vector<std::string> command;
  const std::string printed = json["command"];
  std::istringstream text(printed);
  for (std::string word; text >> word;) command.push_back(word);
  ASSERT_GT(command.size(), 3u);
  EXPECT_EQ(command[0], TOY_PROGRAM);
  EXPECT_EQ(json["interrupted"], false);
  command.erase(command.begin());
  command.insert(command.end(), {"--steps", "2"});
  const Finished f = toy(command, start);
  EXPECT_EQ(f.code, 0) << f.err;
}

TEST_F(Train, an_interrupted_autotune_answers_with_what_it_has) {
  Process process({"train", "autotune", "--batch-sizes", "1,2", "--threads", "1", "--steps", "100000", "--json"},
                  start);
  ASSERT_TRUE(process.wait_until_guarded());
  process.send(SIGINT);
  const Finished f = process.finish();
  EXPECT_EQ(f.code, 0) << f.err;
  const Json json = Json::parse(f.out);
  EXPECT_EQ(json["interrupted"], true);
  EXPECT_TRUE(json["trials"].empty());
  EXPECT_TRUE(json["best"].is_null());
  EXPECT_NE(f.err.find("interrupted after 0 trials"), std::string::npos) << f.err;
}

}  // namespace
}  // namespace toy::testing

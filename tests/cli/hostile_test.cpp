// Files, texts and circumstances that would hang the program, fill memory or steer the terminal.
#include "tests/cli/hostile.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "toy/cli/format.h"
#include "toy/cli/terminal_text.h"

#include "tests/sanitized.h"

namespace toy::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t MiB = 1 << 20;

class Hostile : public ::testing::Test {
 protected:
  Folder home;
  const Start start{.environment = {{"HOME", home.str()}}, .folder = home.str()};

  /// Memory is bounded only where no sanitizer takes its own.
  static void expect_memory(const Finished& f, std::int64_t most) {
    EXPECT_TRUE(sanitized() || f.peak_bytes < most) << f.peak_bytes;
  }
  static void expect_line(const Finished& f, int code, const std::string& what) {
    EXPECT_EQ(f.signal, 0);
    EXPECT_EQ(f.code, code) << f.err;
    EXPECT_EQ(lines(f.err), 1) << f.err.substr(0, 1000);
    EXPECT_NE(f.err.find(what), std::string::npos) << f.err.substr(0, 1000);
  }
};

TEST_F(Hostile, references_and_manifests_that_never_end_are_not_waited_for) {
  const fs::path refs = home / ".cache/huggingface/hub/models--org--repo/refs";
  const fs::path manifests = home / ".ollama/models/manifests/registry.ollama.ai/library/m";
  fs::create_directories(refs);
  fs::create_directories(manifests);
  ASSERT_EQ(::mkfifo((refs / "main").c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo((manifests / "latest").c_str(), 0600), 0);
  for (const bool device : {false, true}) {
    if (device) {
      fs::remove(refs / "main");
      fs::create_symlink("/dev/zero", refs / "main");
    }
    EXPECT_EQ(toy_in_time({"list"}, start).code, 0);
    expect_line(toy_in_time({"describe", "some-name"}, start), 1, "some-name");
  }
}

TEST_F(Hostile, git_files_that_never_end_are_not_waited_for) {
  fs::create_directories(home / ".git/refs/heads");
  write_file(home / ".git/HEAD", "ref: refs/heads/main\n");
  write_file(home / "corpus.txt", std::string(2000, 'a') + "b");
  for (const char* pipe : {".git/refs/heads/main", ".git/packed-refs", ".git/commondir"}) {
    ASSERT_EQ(::mkfifo((home / pipe).c_str(), 0600), 0);
  }
  const Finished f = toy_in_time({"train", "from-scratch", "--corpus", "corpus.txt", "--vocab", "byte", "--steps", "1",
                                  "--d-model", "16", "--heads", "2", "--layers", "1", "--context", "16"},
                                 start);
  EXPECT_EQ(f.code, 0) << f.err;
}

TEST_F(Hostile, one_long_name_does_not_make_every_row_long) {
  SmallModel model = small_llama();
  for (int i = 0; i < 30; ++i) model.write(home / ("data/m" + std::to_string(i) + ".gguf"));
  model.metadata.set("general.architecture", std::string(MiB, 'x'));
  model.write(home / "data/long.gguf");
  const Finished f = toy_in_time({"list"}, start);
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_LT(f.out.size(), 40'000U);
  expect_memory(f, 64 * MiB);
}

TEST_F(Hostile, a_long_key_does_not_make_every_row_long) {
  SmallModel model = small_llama();
  model.metadata.set(std::string(60'000, 'k'), std::uint32_t{1});
  for (int i = 0; i < 3900; ++i) model.metadata.set("key" + std::to_string(i), std::uint32_t{1});
  const std::string path = model.write(home / "keys.gguf");
  const Finished f = toy_in_time({"describe", path}, start);
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_LT(f.out.size(), 700'000U);
  expect_memory(f, 64 * MiB);
}

TEST_F(Hostile, notes_of_a_file_have_an_end) {
  SmallModel model = small_llama();
  for (int i = 0; i < 3900; ++i) model.metadata.set("llama.unknown" + std::to_string(i), std::uint32_t{1});
  const std::string path = model.write(home / "notes.gguf");
  const Finished f = toy_in_time({"infer", path, "--prompt-ids", "5", "--n", "1", "--threads", "1"}, start);
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_LT(lines(f.err), 30);
  EXPECT_NE(f.err.find("more of this kind"), std::string::npos);
}

TEST_F(Hostile, an_error_that_repeats_a_long_text_is_cut) {
  SmallModel model = small_llama();
  model.metadata.set("llama.rope.scaling.type", std::string(MiB, 'x'));
  const Finished f = toy_in_time({"eval", model.write(home / "long.gguf"), "--text", "a"}, start);
  EXPECT_EQ(f.code, 1);
  EXPECT_LT(f.err.size(), 5000U);
}

TEST_F(Hostile, copies_are_named_up_to_a_number) {
  const std::string path = small_llama().write(home / "data/m.gguf");
  for (int i = 0; i < 400; ++i) fs::create_hard_link(path, home / ("data/copy" + std::to_string(i) + ".gguf"));
  const auto models = nlohmann::json::parse(toy_in_time({"list", "--json"}, start).out)["models"];
  ASSERT_EQ(models.size(), 401U);
  for (const auto& model : models) EXPECT_EQ(model["duplicates"].size(), 16U);
  EXPECT_NE(toy_in_time({"list"}, start).out.find(" and 399 more)"), std::string::npos);
}

TEST_F(Hostile, a_text_that_never_ends_is_refused) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"infer", "--prompt-file", "/dev/zero"},
                                             {"eval", "--file", "/dev/zero"},
                                             {"tokenize", "--file", "/dev/zero"}}) {
    const Finished f = toy_in_time(words, start);
    EXPECT_EQ(f.code, 1);
    EXPECT_NE(f.err.find("/dev/zero: is longer than 64 MiB"), std::string::npos) << f.err;
    expect_memory(f, 256 * MiB);
  }
}

TEST_F(Hostile, tokens_as_json_take_little_memory) {
  const std::string path = small_llama().write(home / "m.gguf");
  std::string text;
  for (int i = 0; text.size() < 1 * MiB; ++i) text += "word" + std::to_string(i) + " ";
  write_file(home / "text", text);
  const Finished f = toy_in_time({"tokenize", path, "--file", "text", "--json"}, start);
  ASSERT_EQ(f.code, 0) << f.err;
  expect_memory(f, 150 * MiB);
  const Finished small = toy_in_time({"tokenize", path, "--text", "a\"b\xff", "--json", "--no-bos"}, start);
  EXPECT_EQ(small.out, "{\"ids\":[100,37,101,258],\"pieces\":[\"a\",\"\\\"\",\"b\",\"\xEF\xBF\xBD\"]}\n");
}

TEST_F(Hostile, a_terminal_is_not_steered_by_a_file) {
  const std::string path = steering_llama().write(home / "data/steering\xc2\x9b\u202e.gguf");
  const std::vector<std::string> infer{"infer", path, "--prompt-ids", "5,6,7", "--n", "8", "--threads", "1"};
  EXPECT_NE(steering(toy_in_time(infer, start).out), "") << "a pipe gets the bytes";
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{infer,
                                             {"list"},
                                             {"list", "--json"},
                                             {"describe", path},
                                             {"describe", path, "--json"},
                                             {"tokenize", path, "--text", "abc"},
                                             {"eval", path, "--prompt-ids", "5,6,7", "--json"},
                                             {"describe", "no\x1b[31m\xc2\x9b\u202e.gguf"}}) {
    const std::string shown = on_terminal(words, home.str());
    EXPECT_FALSE(shown.empty());
    EXPECT_EQ(steering(shown), "") << words.front();
  }
}

TEST_F(Hostile, signals_after_the_end_change_nothing) {
  write_file(home / "corpus.txt", std::string(2000, 'a') + "b");
  for (int i = 0; i < 8; ++i) {
    Process p({"train",        "from-scratch",
               "--corpus",     "corpus.txt",
               "--vocab",      "byte",
               "--steps",      "100000",
               "--d-model",    "16",
               "--heads",      "2",
               "--layers",     "1",
               "--context",    "16",
               "--gen-every",  "0",
               "--eval-every", "0",
               "--threads",    "1"},
              start);
    ASSERT_TRUE(p.wait_for_output());
    for (int k = 0; k < 300; ++k) {
      p.send(SIGINT);
      ::usleep(1000);
    }
    const Finished f = p.finish();
    EXPECT_EQ(f.signal, 0);
    EXPECT_EQ(f.code, 0) << f.err;
  }
}

TEST_F(Hostile, a_thread_that_cannot_start_is_told) {
  if (sanitized()) GTEST_SKIP() << "sanitizers start without such a stack";
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_STACK, &limit), 0);
  const std::uint64_t vast = std::uint64_t{1} << 46;  // no thread gets such a stack
  if (limit.rlim_max < vast) GTEST_SKIP() << "the limit of stacks cannot be raised";
  Start large = start;
  large.stack_bytes = vast;
  expect_line(toy_in_time({"infer", "--prompt", "a", "--n", "1", "--quiet"}, large), 1,
              "toy: the system starts no thread");
}

TEST(TerminalText, spells_what_steers) {
  using cli::terminal_text, cli::one_line, cli::cut_text;
  EXPECT_EQ(terminal_text("a\tb\nc"), "a\tb\nc");
  EXPECT_EQ(one_line("a\tb\nc"), "a\\x09b\\x0ac");
  EXPECT_EQ(terminal_text("\x1b[31m\r\x7f"), "\\x1b[31m\\x0d\\x7f");
  EXPECT_EQ(terminal_text("\xc2\x9b \xc2\xa0 \u202e \u2069 \u200f \u061c"),
            "\\u009b \xc2\xa0 \\u202e \\u2069 \\u200f \\u061c");
  EXPECT_EQ(terminal_text("\x9b \xc2"), "\\x9b \\xc2");
  EXPECT_EQ(terminal_text("日本 é 🙂"), "日本 é 🙂");
  EXPECT_EQ(cut_text("abcdef", 6), "abcdef");
  EXPECT_EQ(cut_text("abcdefg", 6), "abc...");
  EXPECT_EQ(cut_text("日本日本", 7), "日...") << "no character is cut in two";
}

TEST(Table, has_a_widest_cell) {
  const std::string row = cli::table({{std::string(5000, 'x'), "b"}, {"a", std::string(5000, 'y')}}, "ll");
  EXPECT_EQ(row.size(), 120 + 2 + 1 + 1 + 120 + 2 + 1000 + 1U);
}

}  // namespace
}  // namespace toy::testing

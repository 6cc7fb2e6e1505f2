// Help, manifest, documentation and dispatch agree; what is asked wrongly gives one line and the right exit code.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <iterator>
#include <set>
#include <sstream>

#include "tests/cli/process.h"
#include "tests/cli/small_models.h"

namespace toy::testing {
namespace {

using Json = nlohmann::json;

const Json& manifest() {
  static const Json json = Json::parse(toy({"--manifest"}).out);
  return json;
}

/// A value that the option admits.
std::string value_of(const Json& option) {
  const std::string type = option["type"];
  if (option.contains("default")) return option["default"];
  if (type == "choice") return option["choices"][0];
  if (type == "integers") return "1,2";
  if (type == "integer" || type == "number") return std::to_string(option.value("min", 1L));
  return "text";
}

/// The verb's name as words ("runs show" has two), then `more`.
std::vector<std::string> words_of(const std::string& verb, const std::vector<std::string>& more) {
  std::istringstream in(verb);
  std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<std::string> with_value(const std::string& verb, const Json& option, const std::string& spelling) {
  std::vector<std::string> words = words_of(verb, {spelling});
  if (option["type"] != "flag") words.push_back(value_of(option));
  words.emplace_back("--help");
  return words;
}

/// The flags that the section Options of a help describes.
std::set<std::string> flags_of_help(const std::string& text) {
  std::set<std::string> flags;
  std::istringstream help(text);
  bool options = false;
  for (std::string line; std::getline(help, line);) {
    if (line == "Options:") options = true;
    if (line == "Examples:") options = false;
    const auto at = line.find("--");
    if (!options || at == std::string::npos || at > 6) continue;
    flags.insert(line.substr(at, line.find_first_of(' ', at) - at));
  }
  return flags;
}

TEST(Program, version_names_the_program) {
  const Finished f = toy({"--version"});
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.out, "toy 0.1.0\n");
  EXPECT_EQ(f.err, "");
}

TEST(Program, manifest_names_the_verbs_and_exit_codes) {
  EXPECT_EQ(manifest()["schema"], "toy/manifest-v1");
  EXPECT_EQ(manifest()["version"], "0.1.0");
  std::set<std::string> verbs, codes;
  for (const Json& verb : manifest()["verbs"]) verbs.insert(verb["name"]);
  for (const auto& [code, meaning] : manifest()["exit_codes"].items()) codes.insert(code);
  EXPECT_EQ(verbs,
            (std::set<std::string>{"infer", "eval", "list", "describe", "tokenize", "bench", "train from-scratch",
                                   "train autotune", "runs", "runs show", "runs compare"}));
  EXPECT_EQ(codes, (std::set<std::string>{"0", "1", "2"}));
}

TEST(Program, every_option_of_the_manifest_is_in_the_help_and_accepted) {
  for (const Json& verb : manifest()["verbs"]) {
    const std::string name = verb["name"];
    const Finished help = toy(words_of(name, {"--help"}));
    EXPECT_EQ(help.code, 0);
    const std::set<std::string> flags = flags_of_help(help.out);
    for (const Json& option : verb["options"]) {
      const std::string flag = option["name"];
      EXPECT_TRUE(flags.contains(flag)) << name << " " << flag;
      const Finished accepted = toy(with_value(name, option, flag));
      EXPECT_EQ(accepted.code, 0) << name << " " << flag << ": " << accepted.err;
      if (!option.contains("short")) continue;
      const std::string brief = option["short"];
      EXPECT_NE(help.out.find(brief + ", " + flag), std::string::npos) << name << " " << brief;
      EXPECT_EQ(toy(with_value(name, option, brief)).code, 0) << name << " " << brief;
    }
  }
}

TEST(Program, every_flag_of_the_help_is_in_the_manifest) {
  for (const Json& verb : manifest()["verbs"]) {
    std::set<std::string> known;
    for (const Json& option : verb["options"]) known.insert(option["name"].get<std::string>());
    for (const std::string& flag : flags_of_help(toy(words_of(verb["name"], {"--help"})).out)) {
      EXPECT_TRUE(known.contains(flag)) << verb["name"] << " " << flag;
    }
  }
}

TEST(Program, every_help_ends_with_two_examples_that_are_accepted) {
  for (const Json& verb : manifest()["verbs"]) {
    const std::string help = toy(words_of(verb["name"], {"--help"})).out;
    ASSERT_EQ(verb["examples"].size(), 2u);
    EXPECT_TRUE(help.ends_with("  " + verb["examples"][1]["command"].get<std::string>() + "\n"));
    for (const Json& example : verb["examples"]) {
      std::string command = example["command"];
      EXPECT_NE(help.find(command), std::string::npos);
      ASSERT_TRUE(command.starts_with("toy "));
      command = TOY_PROGRAM + command.substr(3) + " --help > /dev/null";
      EXPECT_EQ(std::system(command.c_str()), 0) << command;
    }
  }
}

TEST(Program, documentation_is_that_of_the_table) {
  EXPECT_EQ(read_file(TOY_DOCS "/cli.md"), toy({"--markdown"}).out) << "make docs writes it again";
}

TEST(Program, wrong_words_name_the_nearest_right_ones) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"infr"}, "did you mean infer?"},
      {{"descirbe", "x"}, "did you mean describe?"},
      {{"frobnicate"}, "known: infer, eval"},
      {{"infer", "x.gguf", "--promt", "a"}, "did you mean --prompt?"},
      {{"eval", "x.gguf", "--tex=a"}, "did you mean --text?"},
      {{"--verison"}, "did you mean --version?"},
      {{"infer", "x.gguf", "--zzzzzzzz"}, "toy infer --help"},
      {{}, "expected a verb"},
      {{"infer", "a", "b"}, "unexpected argument 'b'"},
      {{"infer", "x.gguf", "y.gguf"}, "unexpected argument 'y.gguf'"},
      {{"infer", "x.gguf", "--n"}, "expected a value"},
      {{"infer", "x.gguf", "--n", "many"}, "expected a whole number"},
      {{"infer", "x.gguf", "--n", "1", "--n", "2"}, "2 times"},
      {{"infer", "x.gguf", "--temp", "-1"}, "expected 0 to 1000"},
      {{"infer", "x.gguf", "--prompt-ids", "1,,2"}, "whole numbers"},
      {{"infer", "x.gguf", "--kv", "f64"}, "f16, f32, q8_0"},
      {{"infer", "x.gguf", "--prompt", "a", "--prompt-ids", "1"}, "only one of"},
      {{"bench", "x.gguf", "-p", "0", "-n", "0"}, "nothing to measure"},
  };
  for (const auto& [words, hint] : cases) {
    const Finished f = toy(words);
    EXPECT_EQ(f.code, 2) << hint;
    EXPECT_EQ(f.out, "") << hint;
    EXPECT_EQ(lines(f.err), 1) << f.err;
    EXPECT_TRUE(f.err.starts_with("toy: ")) << f.err;
    EXPECT_NE(f.err.find(hint), std::string::npos) << f.err;
  }
}

TEST(Program, a_closed_stdout_ends_quietly) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"--help"}, {"--manifest"}, {"list"}}) {
    const Finished f = toy(words, {.closed_stdout = true});
    EXPECT_EQ(f.code, 0);
    EXPECT_EQ(f.err.find("toy:"), std::string::npos) << f.err;
  }
  Process process({"--manifest"}, {});
  const Finished whole = process.finish();
  EXPECT_GT(whole.out.size(), 10000u);
  const std::string command = std::string(TOY_PROGRAM) + " --manifest | head -c 1 > /dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(Program, a_full_disk_is_told) {
  const std::string command = std::string(TOY_PROGRAM) + " --manifest > /dev/full 2> /dev/null";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
}

}  // namespace
}  // namespace toy::testing

// Help, manifest, documentation and dispatch agree; what is asked wrongly gives one line and the right exit code.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <iterator>
#include <set>
#include <sstream>
#include <tuple>

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
  if (type == "integer") return std::to_string(option.value("min", 1L));
  if (type == "number") return option.contains("min") ? option["min"].dump() : "1";
  return "text";
}

/// The verb's name as words ("runs show" has two), then `more`.
std::vector<std::string> words_of(const std::string& verb, const std::vector<std::string>& more) {
  std::istringstream in(verb);
  std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// Flags and values are checked before a flag that is unknown is told, and nothing runs.
constexpr const char *unknown = "--no-such-flag", *only_that = "toy: unknown flag '--no-such-flag'";

/// What the program says of the option beside an unknown flag.
std::string complaint(const std::string& verb, const Json& option, const std::string& spelling) {
  std::vector<std::string> words = words_of(verb, {spelling});
  if (option["type"] != "flag") words.push_back(value_of(option));
  words.emplace_back(unknown);
  return toy(words).err;
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
  EXPECT_EQ(f.out, "toy 0.2.0\n");
  EXPECT_EQ(f.err, "");
}

TEST(Program, manifest_names_the_verbs_and_exit_codes) {
  EXPECT_EQ(manifest()["schema"], "toy/manifest-v1");
  EXPECT_EQ(manifest()["version"], "0.2.0");
  std::set<std::string> verbs, codes;
  for (const Json& verb : manifest()["verbs"]) verbs.insert(verb["name"]);
  for (const auto& [code, meaning] : manifest()["exit_codes"].items()) codes.insert(code);
  EXPECT_EQ(verbs,
            (std::set<std::string>{"infer", "eval", "list", "describe", "tokenize", "bench", "train from-scratch",
                                   "train autotune", "runs", "runs show", "runs compare", "runs rm"}));
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
      if (flag == "--help") continue;
      EXPECT_TRUE(complaint(name, option, flag).starts_with(only_that)) << name << complaint(name, option, flag);
      if (!option.contains("short")) continue;
      const std::string brief = option["short"];
      EXPECT_NE(help.out.find(brief + ", " + flag), std::string::npos) << name << " " << brief;
      EXPECT_TRUE(complaint(name, option, brief).starts_with(only_that)) << name << " " << brief;
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
      command = TOY_PROGRAM + command.substr(3) + " " + unknown + " 2>&1 | grep -qF \"" + only_that + "\"";
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
      {{"help", "infr"}, "did you mean infer?"},
      {{"help", "infer", "now"}, "infer has no verb 'now'"},
      {{"chat"}, "unknown verb 'chat': is not there yet; infer continues a text"},
      {{"serve", "--port", "80"}, "unknown verb 'serve': is not there yet"},
      {{"quantize", "a", "b"}, "is not there yet; llama.cpp's llama-quantize"},
      {{"pull", "x"}, "is not there yet; hf download REPO FILE.gguf"},
      {{"run", "x"}, "unknown verb 'run': here it is infer"},
      {{"convert"}, "is not there yet; llama.cpp's convert_hf_to_gguf.py"},
      {{"train", "finetune"}, "unknown verb 'train finetune': is not there yet; train from-scratch trains"},
      {{"infer", "x.gguf", "--temperature", "1"}, "unknown flag '--temperature': here it is --temp"},
      {{"infer", "x.gguf", "--temperature=1"}, "unknown flag '--temperature': here it is --temp"},
      {{"infer", "x.gguf", "--max-tokens", "5"}, "here it is --n"},
      {{"infer", "x.gguf", "--max_new_tokens", "5"}, "'--max_new_tokens': here it is --n"},
      {{"infer", "x.gguf", "--top_p", "1"}, "'--top_p': here it is --top-p"},
      {{"infer", "-m", "x.gguf"}, "the model is the first word: toy infer MODEL"},
      {{"eval", "--model=x.gguf"}, "the model is the first word: toy eval MODEL"},
      {{"infer", "x.gguf", "--ctx-size", "9"}, "here it is --context"},
      {{"infer", "x.gguf", "-c", "9"}, "here it is --context"},
      {{"infer", "x.gguf", "-ngl", "99"}, "unknown flag '-ngl': no GPU is used yet"},
      {{"infer", "x.gguf", "-f", "p.txt"}, "here it is --prompt-file"},
      {{"eval", "x.gguf", "-f", "p.txt"}, "here it is --file"},
      {{"eval", "x.gguf", "--prompt", "a"}, "here it is --text"},
      {{"infer", "x.gguf", "--repeat-penalty", "1"}, "that is not there yet"},
      {{"train", "from-scratch", "--learning-rate", "1"}, "here it is --lr"},
      {{"train", "from-scratch", "--n_layer", "1"}, "here it is --layers"},
      {{"train", "from-scratch", "--model", "x"}, "toy train from-scratch --help lists"},
      {{"infer", "x.gguf", "-n=x"}, "expected a whole number, found 'x'"},
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
      {{"bench", "x.gguf", "--machine"}, "expected no MODEL"},
      {{"bench", "--machine", "--simd", "v9"}, "expected a level that is available here"},
      {{"bench", "--machine", "--simd", "ref:memory"}, "expected ref without a form"},
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

TEST(Program, words_that_ask_for_help_get_it) {
  const std::string all = toy({"--help"}).out;
  for (const auto& words : std::vector<std::vector<std::string>>{{}, {"help"}, {"help", "--help"}, {"-h"}}) {
    const Finished f = toy(words);
    EXPECT_EQ(f.code, 0);
    EXPECT_EQ(f.out, all);
    EXPECT_EQ(f.err, "");
  }
  EXPECT_NE(all.find("toy help VERB"), std::string::npos);
  for (const Json& verb : manifest()["verbs"]) {
    std::vector<std::string> words = words_of(verb["name"], {});
    words.insert(words.begin(), "help");
    EXPECT_EQ(toy(words).out, toy(words_of(verb["name"], {"--help"})).out) << verb["name"];
  }
  EXPECT_EQ(toy({"help", "train"}).out, toy({"train", "--help"}).out);
  for (const char* word : {"version", "-V"}) EXPECT_EQ(toy({word}).out, toy({"--version"}).out) << word;
}

TEST(Program, a_short_flag_takes_its_number_behind_an_equals_sign) {
  EXPECT_TRUE(toy({"infer", "x.gguf", "-n=5", unknown}).err.starts_with(only_that));
  // A text may begin with one.
  EXPECT_EQ(toy({"infer", "--n", "1", "-p=a", "--json"}).out.find("\"prompt_ids\":[1]"), std::string::npos);
  // What follows an option is its value, whatever other programs call so.
  EXPECT_TRUE(toy({"infer", "x.gguf", "--prompt", "-ngl", unknown}).err.starts_with(only_that));
}

TEST(Program, help_is_given_whatever_else_is_wrong) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"train", "from-scratch", "-h", "--steps", "x"},
                                             {"train", "from-scratch", "--lr", "1e400", "--help"},
                                             {"train", "from-scratch", "-h", "--steps"},
                                             {"train", "from-scratch", "-h", "--no-such-flag"},
                                             {"train", "from-scratch", "-h", "--lr", "1", "--lr", "1"},
                                             {"-h", "--no-such-flag"}}) {
    const Finished f = toy(words);
    EXPECT_EQ(f.code, 0) << words.back() << f.err;
    EXPECT_NE(f.out.find("Examples:"), std::string::npos) << words.back();
  }
  // As the value of an option it is a text.
  const Finished f = toy({"infer", "nowhere.gguf", "--prompt", "-h"});
  EXPECT_EQ(f.code, 1);
  EXPECT_NE(f.err.find("nowhere.gguf: no such file"), std::string::npos) << f.err;
}

TEST(Program, ranges_are_those_of_the_option) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"--d-model", "2147483647", "expected 1 to 65536"},
      {"--d-model", "65537", "expected 1 to 65536"},
      {"--layers", "1025", "expected 1 to 1024"},
      {"--heads", "65537", "expected 1 to 65536"},
      {"--kv-heads", "65537", "expected 1 to 65536"},
      {"--d-ff", "1048577", "expected 1 to 1048576"},
      {"--context", "1048577", "expected 1 to 1048576"},
      {"--vocab-size", "1048577", "expected 0 to 1048576"},
      {"--cuts", "1001", "expected 0 to 1000"},
      {"--batch-size", "1048577", "expected 1 to 1048576"},
      {"--accumulate", "1048577", "expected 1 to 1048576"},
      {"--lr", "1001", "expected 0 to 1000"},
      {"--lr", "1e400", "expected 0 to 1000, found '1e400'"},
      {"--lr", "-1e400", "expected 0 to 1000, found '-1e400'"},
      {"--min-lr", "inf", "expected 0 to 1000"},
      {"--beta2", "1", "expected 0 to 0.9999999"},
      {"--weight-decay", "1001", "expected 0 to 1000"},
      {"--clip-grad", "1e10", "expected 0 to 1000000000"},
      {"--val-share", "0.91", "expected 0 to 0.9"},
      {"--div-crit", "0", "expected 0.001 to 1073741824"},
      {"--seed", "18446744073709551615", "expected 0 to 9223372036854775807, found '18446744073709551615'"},
      {"--seed", "-9223372036854775809", "expected 0 to 9223372036854775807"},
      {"--seed", "-1", "expected 0 or more"},
      {"--steps", "99999999999999999999", "expected 1 to 1073741824"},
      {"--simd", "", "expected a level that is available here"},
      {"--simd", "v9", "expected a level that is available here"},
      {"--corpus", "", "expected a path, found ''"},
      {"--resume", "", "expected a path, found ''"},
      {"--out", "", "expected a path, found ''"},
      {"--device", "", "unknown device ''"},
  };
  for (const auto& [option, value, hint] : cases) {
    const Finished f = toy({"train", "from-scratch", "--corpus", "nowhere", option, value});
    EXPECT_EQ(f.code, 2) << option << " " << value;
    EXPECT_TRUE(f.err.starts_with("toy: " + option + ": " + hint)) << f.err;
  }
  for (const auto& [option, value] : std::vector<std::pair<std::string, std::string>>{{"--batch-sizes", "1073741824"},
                                                                                      {"--batch-sizes", "8,0"},
                                                                                      {"--threads", "1,1000000"},
                                                                                      {"--threads", "99999999999"},
                                                                                      {"--simd", ""}}) {
    const Finished f = toy({"train", "autotune", "--corpus", "nowhere", option, value});
    EXPECT_EQ(f.code, 2) << option << " " << value;
    EXPECT_TRUE(f.err.starts_with("toy: " + option + ": expected ")) << f.err;
  }
  const Finished short_corpus = toy({"train", "autotune", "--corpus", TOY_DOCS "/roadmap.md", "--context", "100000"});
  EXPECT_EQ(short_corpus.code, 2) << short_corpus.err;
  // A number too small for a double is 0.
  EXPECT_TRUE(toy({"train", "from-scratch", "--lr", "1e-400", unknown}).err.starts_with(only_that));
}

TEST(Program, wrong_values_are_shortened_and_escaped) {
  const std::string odd = std::string("\xff\n\x1b[2J") + std::string(100'000, 'x');
  const auto expect_short = [&](const std::vector<std::string>& words) {
    const Finished f = toy(words);
    EXPECT_TRUE(f.code == 1 || f.code == 2) << f.code;
    EXPECT_EQ(lines(f.err), 1) << f.err;
    EXPECT_LT(f.err.size(), 700U) << f.err.substr(0, 1000);
    EXPECT_NE(f.err.find("\\xff\\x0a\\x1b[2Jxxx"), std::string::npos) << f.err;
  };
  for (const Json& verb : manifest()["verbs"]) {
    for (const Json& option : verb["options"]) {
      if (option["type"] == "text" || option["name"] == "--help") continue;
      if (option["type"] == "flag") {
        expect_short(words_of(verb["name"], {option["name"].get<std::string>() + "=" + odd}));
      } else if (option["type"] != "path" || option["name"] == "--corpus") {
        expect_short(words_of(verb["name"], {option["name"], odd}));
      }
    }
  }
  for (const char* option : {"--vocab", "--simd", "--device", "--resume", "--out"}) {
    expect_short({"train", "from-scratch", option, odd});
  }
  for (const auto& words : std::vector<std::vector<std::string>>{{odd},
                                                                 {"runs", odd},
                                                                 {"runs", "--dir", odd},
                                                                 {"runs", "show", odd},
                                                                 {"infer", "x.gguf", "--" + odd},
                                                                 {"infer", "x.gguf", odd},
                                                                 {"describe", odd}}) {
    expect_short(words);
  }
}

TEST(Program, loops_of_links_are_told_in_words) {
  const Folder folder;
  std::filesystem::create_symlink("loop", folder / "loop");
  const Start start{.folder = folder.str()};
  for (const auto& words : std::vector<std::vector<std::string>>{{"train", "from-scratch", "--corpus", "loop"},
                                                                 {"train", "from-scratch", "--vocab", "loop"},
                                                                 {"train", "from-scratch", "--resume", "loop"},
                                                                 {"train", "from-scratch", "--out", "loop"},
                                                                 {"train", "autotune", "--corpus", "loop"},
                                                                 {"runs", "--dir", "loop"},
                                                                 {"infer", "loop", "--prompt", "a"},
                                                                 {"list", "loop"},
                                                                 {"infer", "--prompt-file", "loop"}}) {
    const Finished f = toy(words, start);
    const std::string all = f.out + f.err;
    const bool by_name = words[0] == "list" || (words.size() > 2 && words[2] == "--out");
    EXPECT_NE(all.find(by_name ? "loop" : "oo many levels of symbolic links"), std::string::npos) << words[1] << all;
    EXPECT_EQ(all.find("filesystem error"), std::string::npos) << all;
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

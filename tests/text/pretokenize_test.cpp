#include "toy/text/pretokenize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <random>

#include "toy/tensor/error.h"
#include "toy/text/regex.h"

#include "tests/text/sample.h"

namespace toy {
namespace {

using testing::ElementsAre;
using Words = std::vector<std::string_view>;

TEST(PreTokenizer, SplitsAsTheRegexModuleOfPython) {
  // Made by Python's `regex` with the published patterns, case-insensitive groups and look-ahead included.
  const auto recorded = nlohmann::json::parse(test::read_file(test::repository_data() / "text/pretokenize.json"));
  const auto texts = recorded.at("texts").get<std::vector<std::string>>();
  ASSERT_GE(texts.size(), 50u);
  for (const auto& [name, words] : recorded.at("words").items()) {
    ASSERT_TRUE(PreTokenizer::known(name)) << name;
    const PreTokenizer pre_tokenizer(name);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Words split = pre_tokenizer.split(texts[i]);
      EXPECT_EQ(std::vector<std::string>(split.begin(), split.end()), words[i].get<std::vector<std::string>>())
          << name << ": " << nlohmann::json(texts[i]);
    }
  }
}

TEST(PreTokenizer, WhiteSpace) {
  const PreTokenizer gpt2("gpt-2");
  EXPECT_THAT(gpt2.split("a  b"), ElementsAre("a", " ", " b"));
  EXPECT_THAT(gpt2.split("a   "), ElementsAre("a", "   "));
  EXPECT_THAT(gpt2.split(" 's I'm I'LL"), ElementsAre(" '", "s", " I", "'m", " I", "'", "LL"));
  EXPECT_THAT(gpt2.split("a\u3000\u00A0b"), ElementsAre("a", "\u3000", "\u00A0", "b"));

  const PreTokenizer llama3("llama-bpe");
  EXPECT_THAT(llama3.split("\n\n a"), ElementsAre("\n\n", " a"));
  EXPECT_THAT(llama3.split(" \n "), ElementsAre(" \n", " "));
  EXPECT_THAT(llama3.split("\t\tx"), ElementsAre("\t", "\tx"));
  EXPECT_THAT(llama3.split("1234567"), ElementsAre("123", "456", "7"));
  EXPECT_THAT(llama3.split("I'LL!\n\nx"), ElementsAre("I", "'LL", "!\n\n", "x"));

  EXPECT_THAT(PreTokenizer("qwen2").split("12 ３"), ElementsAre("1", "2", " ", "３"));
  // The spaces among the characters that this list keeps apart stay with their words.
  const PreTokenizer deepseek("deepseek-coder");
  for (const std::string space : {"\u1680", "\u2000", "\u2028", "\u202F", "\u205F", "\u3000"}) {
    EXPECT_THAT(deepseek.split("a" + space + "b"), ElementsAre("a", space + "b"));
  }
  EXPECT_TRUE(gpt2.split("").empty());
}

TEST(PreTokenizer, Flags) {
  EXPECT_TRUE(PreTokenizer("llama-bpe").ignore_merges());
  EXPECT_TRUE(PreTokenizer("llama-bpe").add_bos());
  EXPECT_TRUE(PreTokenizer("tekken").ignore_merges());
  EXPECT_FALSE(PreTokenizer("dbrx").ignore_merges());
  EXPECT_FALSE(PreTokenizer("gpt-2").add_bos());
}

TEST(PreTokenizer, UnknownNamesUseTheDefault) {
  const std::string text = "a+b 1234 don't";
  for (std::string_view name : {"", "no-such-name", "superbpe", "gpt-2 phi-2", "GPT-2"}) {
    EXPECT_FALSE(PreTokenizer::known(name)) << name;
    EXPECT_EQ(PreTokenizer(name).split(text), PreTokenizer("default").split(text)) << name;
  }
}

/// One name for each row of the table.
constexpr std::string_view lists[] = {"default", "gpt-2",        "starcoder",      "falcon",      "llama-bpe",
                                      "dbrx",    "qwen2",        "qwen35",         "tekken",      "gpt-4o",
                                      "kimi-k2", "deepseek-llm", "deepseek-coder", "deepseek-v3", "bloom",
                                      "viking",  "bailingmoe",   "seed-coder"};

TEST(PreTokenizer, LongRunsAreCutInLinearTime) {
  // A quadratic pattern would take hours here; one that overflows a stack would leave a single uncut word.
  const std::size_t length = 200'000;
  const std::vector<std::string> parts = {" ", "\n", "a", "A", "7", "!", "'", "你", "\u0301", " \n", "a1", "!a", "\t"};
  for (std::string_view name : lists) {
    const PreTokenizer pre_tokenizer(name);
    for (const std::string& part : parts) {
      std::string text;
      while (text.size() < length) text += part;
      std::size_t total = 0;
      for (std::string_view word : pre_tokenizer.split(text + "x y")) total += word.size();
      ASSERT_EQ(total, text.size() + 3) << name;
    }
  }
}

TEST(PreTokenizer, EndOfLongRunsIsStillCut) {
  const std::string spaces(1'000'000, ' '), letters(1'000'000, 'a');
  for (std::string_view name : lists) {
    const Words words = PreTokenizer(name).split(letters + spaces + "b 12 c!");
    ASSERT_GE(words.size(), 5u) << name;
    EXPECT_LE(words.back().size(), 2u) << name;
  }
}

TEST(PreTokenizer, WordsJoinedAreTheText) {
  std::mt19937_64 random(1);
  const std::vector<std::string> parts = {
      "a", "Z", " ", "\n", "1", "'s", "!", "é", "你", "😀", "\u0301", "\u3000", std::string(1, '\0')};
  for (std::string_view name : PreTokenizer::names()) {
    const PreTokenizer pre_tokenizer(name);
    for (int i = 0; i < 200; ++i) {
      const std::string text = test::random_text(random, parts, 30);
      std::string joined;
      for (std::string_view word : pre_tokenizer.split(text)) {
        ASSERT_FALSE(word.empty());
        joined += word;
      }
      ASSERT_EQ(joined, text) << name;
    }
  }
}

TEST(PreTokenizer, AWordBreakIsOneForEveryList) {
  std::mt19937_64 random(2);
  const std::vector<std::string> parts = {
      "a", "Z", "b c", " ",      "  ", "\n",   "\r\n", "\t",  "1",      "12",     "'s",     "'LL",    "!",
      "/", "é", "你",  "好\n你", "か", "$",    ".",    ",",   "，",     "\u0301", "\u3000", "\u00A0", "\u0085",
      "ʰ", "ǅ", "ж",   "Ж ж",    "AB", "x\ny", "!\nж", "\n1", "\u2028", " \n",    "\u0482"};
  int breaks = 0;
  for (std::string_view name : PreTokenizer::names()) {
    const PreTokenizer pre_tokenizer(name);
    for (int i = 0; i < 200; ++i) {
      const std::string text = test::random_text(random, parts, 30);
      const Words whole = pre_tokenizer.split(text);
      for (std::size_t at = 0; (at = PreTokenizer::word_break(text, at + 1)) < text.size();) {
        Words two = pre_tokenizer.split(std::string_view(text).substr(0, at));
        for (std::string_view word : pre_tokenizer.split(std::string_view(text).substr(at))) two.push_back(word);
        ASSERT_EQ(two, whole) << name << ": " << nlohmann::json(text) << " at " << at;
        ++breaks;
      }
    }
  }
  EXPECT_GT(breaks, 1000);
  EXPECT_EQ(PreTokenizer::word_break("a b", 0), 1u);
  EXPECT_EQ(PreTokenizer::word_break("a b c", 2), 3u);
  EXPECT_EQ(PreTokenizer::word_break("a  b \nc 1 !", 0), 11u);
  EXPECT_EQ(PreTokenizer::word_break("a  b\nc", 0), 5u);
  EXPECT_EQ(PreTokenizer::word_break("  \u0436 \u0436", 0), 4u);
  EXPECT_EQ(PreTokenizer::word_break("\u4F60\n\u4F60", 0), 4u);
  EXPECT_EQ(PreTokenizer::word_break("1\n2", 0), 2u);
  for (const char* none : {"\na", "a\n,", "a\n\nb", "a\r\nb", "1 2", "a \n", "\u4F60 \u4F60", " "}) {
    EXPECT_EQ(PreTokenizer::word_break(none, 0), std::string(none).size()) << nlohmann::json(none);
  }
  EXPECT_EQ(PreTokenizer::word_break("", 0), 0u);
}

TEST(Regex, CutsAtMatches) {
  EXPECT_THAT(Regex("b+").split({"abba", "bb", "c"}), ElementsAre("a", "bb", "a", "bb", "c"));
  EXPECT_THAT(Regex(R"(\s+$)").split({"a \n", " b"}), ElementsAre("a", " \n", " b"));
  EXPECT_THAT(Regex("a$").split({"a\n", "ba"}), ElementsAre("a\n", "b", "a")) << "$ is the very end";
  EXPECT_THAT(Regex(R"([^\s])").split({"a\u2028\v\u200b"}), ElementsAre("a", "\u2028\v", "\u200b"));
  EXPECT_THAT(Regex("x*").split({"ab"}), ElementsAre("ab"));
  EXPECT_THROW(Regex("("), Error);
}

}  // namespace
}  // namespace toy

// A long text that repeats its words: what is remembered of a word must hold to the end.
#include <gtest/gtest.h>

#include "toy/text/train_bpe.h"
#include "toy/train/estimate.h"
#include "toy/train/tokens.h"

#include "tests/io/expect_error.h"

namespace toy {
namespace {

std::string long_text() {
  std::string text;
  for (int i = 0; i < 6000; ++i) text += "word" + std::to_string(i * i % 89) + (i % 11 == 0 ? "\n" : " ");
  return text;
}

TokenData tokens_of(const Vocabulary& vocabulary, std::string_view text) {
  return TokenData::over(std::make_shared<const std::vector<std::byte>>(
                             encode_documents(Tokenizer::from_vocabulary(vocabulary), std::span(&text, 1))),
                         "t");
}

/// Every byte is a token: its value behind the three special ones.
TEST(LongText, EveryByteIsItsToken) {
  const std::string text = long_text();
  const TokenData tokens = tokens_of(byte_vocabulary(), text);
  ASSERT_EQ(tokens.size(), static_cast<std::int64_t>(text.size()) + 2);
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    wrong += tokens[static_cast<std::int64_t>(i) + 1] == 3 + static_cast<unsigned char>(text[i]) ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0);
}

TEST(LongText, PiecesJoinToTheText) {
  const std::string text = long_text();
  const std::string_view document = text;
  BpeOptions options;
  options.merges = 20;
  const Vocabulary vocabulary = train_bpe(std::span(&document, 1), options).vocabulary;
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(vocabulary);
  const TokenData tokens = tokens_of(vocabulary, text);
  ASSERT_GT(tokens.size(), 10000);
  std::string joined;
  for (std::int64_t i = 0; i < tokens.size(); ++i) joined += tokenizer.piece(tokens[i]);
  EXPECT_TRUE(joined == text);
}

/// Documents beyond 256 KB are encoded in parts: nothing is lost or added where they meet.
TEST(LongText, PartsJoinToTheText) {
  std::string words, letters, lines;
  while (words.size() < 700'000) words += "word" + std::to_string(words.size() % 97) + " ";
  while (letters.size() < 700'000) letters += "你é";
  while (lines.size() < 700'000) lines += "你é\n";
  for (const bool prefix : {false, true}) {
    Vocabulary vocabulary = byte_vocabulary();
    vocabulary.add_space_prefix = prefix;
    const Tokenizer tokenizer = Tokenizer::from_vocabulary(vocabulary);
    for (const std::string& text : {words, letters, lines, words + letters, lines + " " + words}) {
      const TokenData tokens = tokens_of(vocabulary, text);
      std::vector<std::int32_t> ids;
      for (std::int64_t i = 0; i < tokens.size(); ++i) ids.push_back(tokens[i]);
      std::string joined = tokenizer.decode(ids);
      // Where no space is near, a tokenizer that begins texts with one cannot do without.
      const bool spaces_near = text == words;
      if (prefix && !spaces_near) {
        EXPECT_LE(joined.size(), text.size() + text.size() / 131'072);
        std::erase(joined, ' ');
        std::string without = text;
        std::erase(without, ' ');
        EXPECT_TRUE(joined == without);
      } else {
        EXPECT_TRUE(joined == text) << prefix << " " << text.substr(0, 10);
      }
    }
  }
}

TEST(LongText, IsLeftInTheMiddle) {
  const std::string text(1'000'000, 'a');
  const std::string_view document = text;
  std::vector<std::uint64_t> seen;
  const auto encode = [&] {
    (void)encode_documents(Tokenizer::from_vocabulary(byte_vocabulary()), std::span(&document, 1), {},
                           [&](std::uint64_t done, std::uint64_t all) {
                             EXPECT_EQ(all, 1'000'000u);
                             seen.push_back(done);
                             return seen.size() < 3;
                           });
  };
  EXPECT_EQ(testing::error_of(encode), "interrupted while the corpus was encoded; nothing was trained");
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{0, 1 << 18, 2 << 18}));
}

TEST(ExpectedIds, AreThoseOfTheTexts) {
  const Tokenizer bytes = Tokenizer::from_vocabulary(byte_vocabulary());
  EXPECT_EQ(expected_ids(bytes, {}), 0);
  const std::vector<std::string_view> empty = {"", ""}, one = {"a"};
  EXPECT_EQ(expected_ids(bytes, empty), 0);
  EXPECT_EQ(expected_ids(bytes, one), 3);
  const std::string text = long_text();
  BpeOptions options;
  options.merges = 20;
  const Tokenizer learned = Tokenizer::from_vocabulary(train_bpe(text, options).vocabulary);
  std::vector<std::string_view> lines, whole = {text};
  for (std::size_t at = 0; at < text.size(); at += 37) lines.push_back(std::string_view(text).substr(at, 37));
  for (const Tokenizer* t : {&bytes, &learned}) {
    for (const auto& texts : {whole, lines}) {
      const auto found =
          TokenData::over(std::make_shared<const std::vector<std::byte>>(encode_documents(*t, texts)), "t").size();
      EXPECT_NEAR(expected_ids(*t, texts), static_cast<double>(found), 0.03 * static_cast<double>(found));
    }
  }
}

TEST(StepsWithin, FillTheTimeTogetherWithTheirValidations) {
  EXPECT_EQ(steps_within(10, 1000, 100, {}), 100);
  // 10,000 tokens, 10 and 20 of them for the last two validations, and 1 beside the 100 of each step for the others.
  EXPECT_EQ(steps_within(10, 1000, 100, {.each = 30, .every_steps = 10, .at_the_end = 60}), (10000 - 30) / 101);
  EXPECT_EQ(steps_within(10, 1000, 100, {.each = 30, .at_the_end = 60}), (10000 - 30) / 100);
}

TEST(StepsWithin, AreAtLeastOneAndAtMostWhatAnOptionHolds) {
  EXPECT_EQ(steps_within(1, 1000, 100, {.at_the_end = 1e6}), 1);
  EXPECT_EQ(steps_within(1e9, 1e9, 1, {}), 1 << 30);
}

}  // namespace
}  // namespace toy

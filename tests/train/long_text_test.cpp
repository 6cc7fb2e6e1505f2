// A long text that repeats its words: what is remembered of a word must hold to the end.
#include <gtest/gtest.h>

#include "toy/text/train_bpe.h"
#include "toy/train/tokens.h"

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

}  // namespace
}  // namespace toy

// What several tests of this floor share.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "toy/text/bytes.h"
#include "toy/text/vocabulary.h"

namespace toy::test {

using Ids = std::vector<std::int32_t>;

inline std::filesystem::path repository_data() { return TOY_TEST_DATA; }

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

inline std::size_t below(std::mt19937_64& random, std::size_t limit) { return random() % limit; }

/// Text of these parts, at most `most` of them.
inline std::string random_text(std::mt19937_64& random, const std::vector<std::string>& parts, std::size_t most) {
  std::string text;
  for (std::size_t n = below(random, most + 1); n > 0; --n) text += parts[below(random, parts.size())];
  return text;
}

/// Adds a token to a vocabulary that has scores and types for each.
inline void add_token(Vocabulary& v, std::string_view text, TokenType type = TokenType::normal, float score = 0) {
  v.tokens.push_back(text);
  v.types.push_back(type);
  v.scores.push_back(score);
}

/// Byte-level BPE with the 256 bytes as ids 0 to 255, a few merges ("he", "ll", "hell", " hell"...) and `<|end|>`.
inline Vocabulary small_bpe(std::string_view pre = "gpt-2") {
  Vocabulary v;
  v.model = "gpt2";
  v.pre = pre;
  for (int byte = 0; byte < 256; ++byte) {
    std::string text;
    append_utf8(text, byte_to_unicode(static_cast<std::uint8_t>(byte)));
    add_token(v, text);
  }
  for (std::string_view merge : {"h e", "l l", "he ll", "hell o", "\u0120 hello", "\u0120 w", "o r", "\u0120w or"}) {
    v.merges.push_back(merge);
    std::string text(merge);
    text.erase(text.find(' ', 1), 1);
    add_token(v, text);
  }
  add_token(v, "<|end|>", TokenType::control);
  add_token(v, "<tool>", TokenType::user_defined);
  return v;
}

}  // namespace toy::test

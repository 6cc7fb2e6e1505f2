// Vocabularies that are wrong in one way each: repaired with a note, or refused in one line that names the key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "toy/io/metadata.h"
#include "toy/tensor/error.h"
#include "toy/text/tokenizer.h"

#include "tests/text/sample.h"

namespace toy {
namespace {

using test::Ids;
using testing::Contains;
using testing::HasSubstr;

Metadata spm() {
  Metadata metadata;
  write_vocabulary(byte_vocabulary(), metadata);
  return metadata;
}

Metadata bpe() {
  Metadata metadata;
  write_vocabulary(test::small_bpe(), metadata);
  return metadata;
}

void add_tokens(Metadata& metadata, const std::vector<std::string>& more) {
  const auto strings = metadata.get<StringArray>("tokenizer.ggml.tokens");
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < strings.size(); ++i) tokens.emplace_back(strings[i]);
  tokens.insert(tokens.end(), more.begin(), more.end());
  metadata.set_strings("tokenizer.ggml.tokens", tokens);
}

/// Loads, has a note with this text, and tokenizes.
void expect_note(const Metadata& metadata, const std::string& note) {
  const Tokenizer t = Tokenizer::from_metadata(metadata);
  EXPECT_THAT(t.notes(), Contains(HasSubstr(note)));
  for (std::string_view text : {"", "hello <s> x", "\xFF\x00z", "<0xGG><0x-1>"}) {
    for (std::int32_t id : t.encode(text, {.parse_special = true})) {
      ASSERT_GE(id, 0);
      ASSERT_LT(id, t.size());
    }
  }
  Ids all;
  for (std::int32_t id = 0; id < t.size(); ++id) all.push_back(id);
  EXPECT_FALSE(t.decode(all, {.special = true}).empty());
}

void expect_error(const Metadata& metadata, const std::string& text) {
  try {
    Tokenizer::from_metadata(metadata);
    ADD_FAILURE() << "loaded; expected an error with: " << text;
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(text));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

TEST(Hostile, Tokens) {
  Metadata m = spm();
  add_tokens(m, {"", "<s>", std::string(2'000'000, 'a'), "\xFF\xFE", "<0x>", "<0xGG>", "<0x-1>", std::string("a\0b", 3),
                 "<0x>"});
  expect_note(m, "1 token is empty");
  expect_note(m, "1 token repeats");
  EXPECT_EQ(Tokenizer::from_metadata(m).token(259), "[EMPTY_259]");
  EXPECT_EQ(Tokenizer::from_metadata(m).encode("a"), (Ids{1, 3 + 'a'}));

  m.set_strings("tokenizer.ggml.tokens", {});
  expect_error(m, "tokenizer.ggml.tokens: expected at least one token");
  m.set("tokenizer.ggml.tokens", "a");
  expect_error(m, "tokenizer.ggml.tokens");
  m.erase("tokenizer.ggml.tokens");
  expect_error(m, "tokenizer.ggml.tokens");
}

TEST(Hostile, AllTokensOfTypeByte) {
  Metadata m = spm();
  add_tokens(m, {"<0x>", "<0xGG>", "<0x-1>", "<0x100>", "x"});
  m.set_array<std::int32_t>("tokenizer.ggml.token_type", std::vector<std::int32_t>(264, 6));
  const Tokenizer t = Tokenizer::from_metadata(m);
  EXPECT_EQ(t.decode(Ids{3 + 'A', 259, 260, 261, 262, 263}), "A<0x><0xGG><0x-1><0x100>x");
}

TEST(Hostile, ListsOfAnotherLength) {
  for (std::size_t length : {1u, 258u, 260u, 5000u}) {
    Metadata m = spm();
    m.set_array<float>("tokenizer.ggml.scores", std::vector<float>(length, 1.0f));
    expect_note(m, "tokenizer.ggml.scores: expected 259 values");
    m = spm();
    m.set_array<std::int32_t>("tokenizer.ggml.token_type", std::vector<std::int32_t>(length, 1));
    expect_note(m, "tokenizer.ggml.token_type: expected 259 values");
  }
}

TEST(Hostile, Values) {
  Metadata m = spm();
  m.set_array<std::int64_t>("tokenizer.ggml.token_type", std::vector<std::int64_t>(259, INT64_MIN));
  expect_note(m, "259 values are outside 0 to 6");
  m = spm();
  m.set_array<float>("tokenizer.ggml.scores", std::vector<float>(259, std::numeric_limits<float>::quiet_NaN()));
  expect_error(m, "tokenizer.ggml.scores");

  Vocabulary zero = byte_vocabulary();
  for (std::string_view text : {"h", "e", "l", "he", "el", "ll", "hel", "ell", "hell"}) test::add_token(zero, text);
  Vocabulary nan = zero;
  for (std::size_t i = 0; i < nan.scores.size(); i += 2) nan.scores[i] = std::numeric_limits<float>::quiet_NaN();
  const Tokenizer with_nan = Tokenizer::from_vocabulary(nan), with_zero = Tokenizer::from_vocabulary(zero);
  std::mt19937_64 random(3);
  for (int i = 0; i < 300; ++i) {
    const std::string text = test::random_text(random, {"h", "e", "l"}, 40);
    EXPECT_EQ(with_nan.encode(text), with_zero.encode(text));
  }
}

TEST(Hostile, SpecialIds) {
  for (std::string_view key : {"bos", "eos", "unknown", "padding", "eot", "eom", "fim_pad"}) {
    const std::string full = "tokenizer.ggml." + std::string(key) + "_token_id";
    for (std::int64_t id : {std::int64_t{-1}, std::int64_t{259}, std::int64_t{INT32_MAX}, INT64_MIN, INT64_MAX}) {
      Metadata m = spm();
      m.set(full, id);
      expect_note(m, full + ": ignored");
    }
    Metadata m = spm();
    m.set(full, "1");
    expect_error(m, full);
  }
  Vocabulary v = byte_vocabulary();
  v.bos = 100000;
  v.unk = -7;
  EXPECT_EQ(Tokenizer::from_vocabulary(v).encode("a"), (Ids{1, 3 + 'a'})) << "the usual BOS";
}

TEST(Hostile, Merges) {
  Metadata m = bpe();
  m.set_strings("tokenizer.ggml.merges",
                std::vector<std::string>{"", " ", "ab", "a ", " a", "  ", "x y z", "q qq", "h e", "h e", "\xFF \xFE"});
  expect_note(m, "6 entries are not two pieces");
  expect_note(m, "1 entry repeats");
  expect_note(m, "pieces named are not tokens");
  EXPECT_EQ(Tokenizer::from_metadata(m).encode("hqqq"), (Ids{'h', 'q', 'q', 'q'}));
  m.erase("tokenizer.ggml.merges");
  expect_note(m, "merges is missing");
  m.set("tokenizer.ggml.merges", true);
  expect_error(m, "tokenizer.ggml.merges");
}

TEST(Hostile, NoTokensForBytes) {
  Metadata m = bpe();
  m.set_strings("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"});
  expect_note(m, "no token for");
  EXPECT_EQ(Tokenizer::from_metadata(m).encode("abc"), (Ids{0, 1}));
  m.set("tokenizer.ggml.model", "llama");
  expect_note(m, "no token for");
}

TEST(Hostile, WrongTypes) {
  for (std::string_view key :
       {"tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.scores", "tokenizer.ggml.token_type",
        "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_space_prefix", "tokenizer.chat_template"}) {
    Metadata m = bpe();
    m.set(key, 1u);
    expect_error(m, std::string(key));
  }
  Metadata m = bpe();
  m.set("tokenizer.ggml.model", "a\nb\x1b[31m");
  expect_error(m, "tokenizer.ggml.model");
  m.erase("tokenizer.ggml.model");
  expect_error(m, "tokenizer.ggml.model");
}

TEST(Hostile, SpecialTokensThatNest) {
  Metadata m = spm();
  std::vector<std::string> nested;
  for (std::size_t n = 1; n <= 600; ++n) nested.push_back(std::string(n, 'a'));
  add_tokens(m, nested);
  std::vector<std::int32_t> types(259 + 600, 4);
  m.set_array<std::int32_t>("tokenizer.ggml.token_type", types);
  expect_note(m, "special tokens are longer than 512 bytes");
  const Tokenizer t = Tokenizer::from_metadata(m);
  EXPECT_EQ(t.encode(std::string(1025, 'a')),
            (Ids{1, *t.find(std::string(512, 'a')), *t.find(std::string(512, 'a')), *t.find("a")}));
}

}  // namespace
}  // namespace toy

#include "toy/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "toy/io/metadata.h"
#include "toy/tensor/error.h"

#include "tests/text/sample.h"

namespace toy {
namespace {

using test::Ids;
using testing::ElementsAre;
using testing::HasSubstr;

Ids encode(const Tokenizer& tokenizer, std::string_view text, bool parse_special = false) {
  return tokenizer.encode(text, {.add_special = false, .parse_special = parse_special});
}

/// SPM with space prefix and the pieces of "hello".
Vocabulary small_spm() {
  Vocabulary v = byte_vocabulary();
  v.add_space_prefix = true;
  float score = 0;
  for (std::string_view text : {"h", "e", "l", "o", "he", "ll", "hell", "hello", "\u2581hello"}) {
    test::add_token(v, text, TokenType::normal, --score);
  }
  return v;
}

TEST(Spm, SpacePrefixAndByteFallback) {
  const Tokenizer t = Tokenizer::from_vocabulary(small_spm());
  const std::int32_t hello = *t.find("\u2581hello"), space = *t.find("\u2581");
  EXPECT_EQ(t.encode("hello"), (Ids{1, hello}));
  EXPECT_EQ(t.encode(" hello"), (Ids{1, space, hello}));
  EXPECT_EQ(t.encode(""), Ids{1});
  EXPECT_EQ(encode(t, ""), Ids{});
  EXPECT_EQ(encode(t, "\n"), (Ids{space, 3 + '\n'}));
  EXPECT_EQ(encode(t, "é"), (Ids{space, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(encode(t, "\u2581hello"), (Ids{space, hello})) << "U+2581 in a text is a space";

  Vocabulary spaceless = byte_vocabulary();
  StringTable tokens;
  for (std::size_t i = 0; i < spaceless.tokens.size(); ++i) {
    tokens.push_back(i == 3 + ' ' ? "<0x20>" : spaceless.tokens[i]);
  }
  spaceless.tokens = tokens;
  EXPECT_EQ(encode(Tokenizer::from_vocabulary(spaceless), "a b"), (Ids{3 + 'a', 3 + ' ', 3 + 'b'}));
}

TEST(Spm, InvalidUtf8BecomesByteTokens) {
  const Tokenizer t = Tokenizer::from_vocabulary(small_spm());
  EXPECT_EQ(encode(t, "\xFFhe\xE2\x96"), (Ids{*t.find("\u2581"), 3 + 0xFF, *t.find("he"), 3 + 0xE2, 3 + 0x96}));
}

TEST(Spm, SpecialTokensStartTheTextAnew) {
  const Tokenizer t = Tokenizer::from_vocabulary(small_spm());
  const std::int32_t hello = *t.find("\u2581hello");
  EXPECT_EQ(encode(t, "<s>hello</s>hello", true), (Ids{1, hello, 2, hello}));
  EXPECT_EQ(encode(t, "</s>"), (Ids{*t.find("\u2581"), 3 + '<', 3 + '/', 3 + 's', 3 + '>'}));
}

TEST(Spm, DecodeDropsOneSpaceAtTheStartOfAText) {
  const Tokenizer t = Tokenizer::from_vocabulary(small_spm());
  const std::int32_t hello = *t.find("\u2581hello");
  EXPECT_EQ(t.decode(Ids{hello, hello}), "hello hello");
  EXPECT_EQ(t.decode(Ids{1, hello}), "hello");
  EXPECT_EQ(t.decode(Ids{1, hello}, {.special = true}), "<s> hello");
  EXPECT_EQ(t.decode(Ids{hello}, {.continues = true}), " hello");
  EXPECT_EQ(t.piece(hello), " hello");
  for (std::string_view text : {"hello", " hello", "  x", "a  b ", "\n", "é你😀", "\u0301"}) {
    EXPECT_EQ(t.decode(t.encode(text)), text);
  }
}

TEST(Spm, WithoutTypesOrScoresStillWorks) {
  Vocabulary v = small_spm();
  v.scores.clear();
  v.types.clear();
  const Tokenizer t = Tokenizer::from_vocabulary(v);
  EXPECT_THAT(t.notes(), ElementsAre(HasSubstr("scores is missing"), HasSubstr("</s>")));
  EXPECT_EQ(t.decode(t.encode("hello")), t.decode(t.encode("hello")));
}

TEST(Bpe, MergesByRank) {
  const Tokenizer t = Tokenizer::from_vocabulary(test::small_bpe());
  const auto id = [&](std::string_view text) { return *t.find(text); };
  EXPECT_EQ(encode(t, "hello"), Ids{id("hello")});
  EXPECT_EQ(encode(t, "hello hello"), (Ids{id("hello"), id("\u0120hello")}));
  EXPECT_EQ(encode(t, " world"), (Ids{id("\u0120wor"), 'l', 'd'}));
  EXPECT_EQ(encode(t, "\xFF"), (Ids{0xEF, 0xBF, 0xBD}));
  EXPECT_EQ(t.decode(encode(t, "a\xFFz")), "a\uFFFDz");
  for (std::string_view text : {"", " ", "  a", "hello  hello ", "\n\n", "é你😀", "\t\tx", "I'm"}) {
    EXPECT_EQ(t.decode(encode(t, text)), text);
  }
}

TEST(Bpe, OfEqualTokensTheFirstIsProduced) {
  Vocabulary v = test::small_bpe();
  for (std::string_view text : {"ab", "cd", "ab"}) test::add_token(v, text);
  for (std::string_view merge : {"c d", "a b"}) v.merges.push_back(merge);
  const Tokenizer t = Tokenizer::from_vocabulary(v);
  EXPECT_EQ(encode(t, "cdab"), (Ids{t.size() - 2, t.size() - 3}));
  EXPECT_THAT(t.notes(), ElementsAre(HasSubstr("1 token repeats")));
}

TEST(Bpe, SpecialTokensAreLiteral) {
  const Tokenizer t = Tokenizer::from_vocabulary(test::small_bpe());
  const std::int32_t end = *t.find("<|end|>"), tool = *t.find("<tool>");
  EXPECT_EQ(encode(t, "h<|end|>", true), (Ids{'h', end}));
  EXPECT_EQ(encode(t, "h<|end|>"), (Ids{'h', '<', '|', 'e', 'n', 'd', '|', '>'}));
  EXPECT_EQ(encode(t, "h<tool>"), (Ids{'h', tool})) << "user-defined tokens are always cut";
  EXPECT_EQ(t.piece(end), "");
  EXPECT_EQ(t.piece(end, true), "<|end|>");
  EXPECT_EQ(t.piece(tool), "<tool>");
}

TEST(Bpe, IgnoreMergesTakesAWholeWord) {
  for (std::string_view pre : {"llama-bpe", "dbrx"}) {
    Vocabulary v = test::small_bpe(pre);
    test::add_token(v, "eh");
    const Tokenizer t = Tokenizer::from_vocabulary(v);
    EXPECT_EQ(encode(t, "eh"), pre == "dbrx" ? (Ids{'e', 'h'}) : Ids{*t.find("eh")});
  }
}

TEST(Bpe, ATokenOutsideTheByteAlphabetIsItsText) {
  Vocabulary v = test::small_bpe();
  test::add_token(v, "你 a");
  const Tokenizer t = Tokenizer::from_vocabulary(v);
  EXPECT_EQ(t.piece(t.size() - 1), "你 a");
}

TEST(Bpe, UnknownPreTokenizerIsAnnounced) {
  EXPECT_THAT(Tokenizer::from_vocabulary(test::small_bpe("xyz\n")).notes(), ElementsAre(HasSubstr("'xyz\\x0")));
  EXPECT_EQ(Tokenizer::from_vocabulary(test::small_bpe("xyz")).pre(), "default");
  Vocabulary v = test::small_bpe();
  v.pre.reset();
  EXPECT_THAT(Tokenizer::from_vocabulary(v).notes(), ElementsAre(HasSubstr("pre is missing")));
  EXPECT_TRUE(Tokenizer::from_vocabulary(test::small_bpe()).notes().empty());
}

TEST(Bpe, OneEnormousWord) {
  const Tokenizer t = Tokenizer::from_vocabulary(test::small_bpe());
  std::string word;
  while (word.size() < 2'000'000) word += "hellor";
  const Ids ids = encode(t, word);
  EXPECT_EQ(ids.size(), 2 * ((word.size()) / 6));
  EXPECT_EQ(t.decode(ids), word);
}

TEST(Spm, OneEnormousWord) {
  const Tokenizer t = Tokenizer::from_vocabulary(small_spm());
  const std::string spaces(1'000'000, ' '), letters(1'000'000, 'l');
  EXPECT_EQ(t.decode(t.encode(spaces)), spaces);
  EXPECT_EQ(encode(t, letters).size(), 500'001u);
}

/// A megabyte, in parts that are never joined; the first ones come again at the end.
std::vector<std::string> many_parts(const std::string& begin, const std::vector<std::string>& alphabet,
                                    const std::string& end) {
  std::mt19937_64 random(7);
  std::vector<std::string> parts;
  for (int i = 0; i < 50'000; ++i) parts.push_back(begin + test::random_text(random, alphabet, 24) + end);
  for (int i = 0; i < 10'000; ++i) parts.push_back(parts[static_cast<std::size_t>(i)]);
  return parts;
}

void expect_parts_alone(const Tokenizer& t, const std::vector<std::string>& parts) {
  std::string text;
  Ids expected;
  for (const std::string& part : parts) {
    text += part;
    for (std::int32_t id : encode(t, part)) expected.push_back(id);
  }
  EXPECT_GT(text.size(), 600'000u);
  EXPECT_TRUE(encode(t, text) == expected);
}

TEST(Spm, ALongTextIsItsLines) {
  Vocabulary v = small_spm();
  v.add_space_prefix = false;
  for (std::string_view text : {"o\u2581", "o\u2581h", "\u2581\u2581", "你\u2581", "ll\u2581he"}) {
    test::add_token(v, text, TokenType::normal, -0.5F);
  }
  expect_parts_alone(Tokenizer::from_vocabulary(v),
                     many_parts("", {"h", "e", "l", "o", "hello", " ", "  ", "\u2581", "你", "\xE2", "o "}, "\n"));
}

/// A visible space that the text spells itself is read whole, wherever a long text is cut.
TEST(Spm, AVisibleSpaceAnywhere) {
  Vocabulary v = small_spm();
  v.add_space_prefix = false;
  test::add_token(v, "l\u2581", TokenType::normal, -0.5F);
  const auto joined = static_cast<std::int32_t>(v.tokens.size()) - 1;
  const Tokenizer t = Tokenizer::from_vocabulary(v);
  for (std::size_t n = 65530; n < 65542; ++n) {
    const Ids ids = encode(t, std::string(n, 'l') + "\u2581h");
    ASSERT_EQ(ids.size(), (n - 1) / 2 + (n - 1) % 2 + 2) << n;
    EXPECT_EQ(ids[ids.size() - 2], joined) << n;
  }
}

TEST(Bpe, ALongTextIsItsWords) {
  // More different words than are remembered, and broken characters.
  expect_parts_alone(Tokenizer::from_vocabulary(test::small_bpe()),
                     many_parts(" h", {"h", "e", "l", "o", "hell", "r"}, "h"));
  expect_parts_alone(Tokenizer::from_vocabulary(test::small_bpe()),
                     many_parts(" h", {"h", "e", "l", "o", "hello", " ", "\n", "你", "\xE2", "\xFF", "1"}, "h"));
}

TEST(Tokenizer, BosAndEos) {
  Vocabulary v = test::small_bpe("llama-bpe");
  v.bos = v.eos = 256;
  EXPECT_EQ(Tokenizer::from_vocabulary(v).encode("a"), (Ids{256, 'a'})) << "the pre-tokenizer asks for BOS";
  v.add_bos = false;
  v.add_eos = true;
  EXPECT_EQ(Tokenizer::from_vocabulary(v).encode("a"), (Ids{'a', 256}));
  v.eos.reset();
  const Tokenizer t = Tokenizer::from_vocabulary(v);
  EXPECT_EQ(t.encode("a"), Ids{'a'});
  EXPECT_THAT(t.notes(), ElementsAre(HasSubstr("EOS")));
}

TEST(Tokenizer, EndsOfGeneration) {
  Vocabulary v = test::small_bpe();
  v.eos = 5;
  v.eot = 6;
  v.fim_ends = {7};
  Tokenizer t = Tokenizer::from_vocabulary(v);
  for (std::int32_t id : {5, 6, 7, *t.find("<|end|>")}) EXPECT_TRUE(t.ends_generation(id)) << id;
  for (std::int32_t id : {0, 8, -1, 100000}) EXPECT_FALSE(t.ends_generation(id)) << id;

  test::add_token(v, "<|return|>", TokenType::control);
  test::add_token(v, "<|call|>", TokenType::control);
  t = Tokenizer::from_vocabulary(v);
  EXPECT_FALSE(t.ends_generation(*t.find("<|end|>")));
  EXPECT_TRUE(t.ends_generation(*t.find("<|return|>")));
}

TEST(Tokenizer, IdsOutsideTheVocabularyAreRefused) {
  const Tokenizer t = Tokenizer::from_vocabulary(byte_vocabulary());
  for (std::int32_t id : {-1, t.size(), INT32_MAX, INT32_MIN}) {
    EXPECT_THROW(t.piece(id), Error);
    EXPECT_THROW(t.token(id), Error);
    EXPECT_THROW(t.type(id), Error);
    EXPECT_THROW(t.decode(Ids{id}), Error);
  }
}

TEST(Tokenizer, OtherModelsAreRefused) {
  Vocabulary v = byte_vocabulary();
  v.model = "bert";
  try {
    Tokenizer::from_vocabulary(v);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("expected \"llama\" or \"gpt2\", found 'bert'"));
  }
}

TEST(ByteVocabulary, AnyBytesThereAndBack) {
  const Tokenizer t = Tokenizer::from_vocabulary(byte_vocabulary());
  EXPECT_EQ(t.size(), 259);
  EXPECT_TRUE(t.notes().empty());
  EXPECT_EQ(t.encode("Aé"), (Ids{1, 3 + 'A', 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(t.decode(t.encode(" a b")), " a b");
  EXPECT_EQ(t.count(TokenType::byte), 255u);
  EXPECT_EQ(t.encode(" "), (Ids{1, 3 + ' '}));
  EXPECT_EQ(t.token(3 + ' '), "\u2581") << "what other runtimes look for";
  EXPECT_EQ(t.count(TokenType::control), 2u);
  EXPECT_TRUE(t.ends_generation(2));
}

TEST(Metadata, VocabularyThereAndBack) {
  Vocabulary v = test::small_bpe("qwen2");
  v.bos = 3;
  v.eos = 4;
  v.pad = 5;
  v.add_bos = true;
  v.add_space_prefix = false;
  v.chat_template = "{{ x }}";
  Metadata metadata;
  write_vocabulary(v, metadata);
  const Vocabulary w = read_vocabulary(metadata);
  EXPECT_EQ(w.model, v.model);
  EXPECT_EQ(w.pre, v.pre);
  ASSERT_EQ(w.tokens.size(), v.tokens.size());
  for (std::size_t i = 0; i < v.tokens.size(); ++i) EXPECT_EQ(w.tokens[i], v.tokens[i]);
  ASSERT_EQ(w.merges.size(), v.merges.size());
  for (std::size_t i = 0; i < v.merges.size(); ++i) EXPECT_EQ(w.merges[i], v.merges[i]);
  EXPECT_EQ(w.scores, v.scores);
  EXPECT_EQ(w.types, v.types);
  EXPECT_EQ(w.bos, v.bos);
  EXPECT_EQ(w.eos, v.eos);
  EXPECT_EQ(w.pad, v.pad);
  EXPECT_EQ(w.eot, std::nullopt);
  EXPECT_EQ(w.add_bos, true);
  EXPECT_EQ(w.add_eos, std::nullopt);
  EXPECT_EQ(w.add_space_prefix, false);
  EXPECT_EQ(w.chat_template, "{{ x }}");
  EXPECT_TRUE(w.notes.empty());
}

}  // namespace
}  // namespace toy

// Plain text never becomes a control, unknown or byte token, whatever it spells.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "toy/text/tokenizer.h"

#include "tests/text/sample.h"

namespace toy {
namespace {

using test::Ids;
using testing::Contains;
using testing::HasSubstr;

struct Piece {
  std::string_view text;
  float score;
  TokenType type = TokenType::normal;
};

/// `<unk>`, `<s>`, `</s>`, the 256 bytes, characters and these pieces; no space prefix.
Vocabulary spm(const std::vector<Piece>& pieces, std::string_view characters = "<s>/abcdeunkx0413") {
  Vocabulary v;
  v.model = "llama";
  v.add_space_prefix = false;
  v.add_bos = false;
  v.bos = 1;
  v.eos = 2;
  v.unk = 0;
  test::add_token(v, "<unk>", TokenType::unknown);
  test::add_token(v, "<s>", TokenType::control);
  test::add_token(v, "</s>", TokenType::control);
  for (int byte = 0; byte < 256; ++byte) test::add_token(v, fmt::format("<0x{:02X}>", byte), TokenType::byte);
  float score = -100;
  for (const char& c : characters) test::add_token(v, {&c, 1}, TokenType::normal, score--);
  for (const Piece& p : pieces) test::add_token(v, p.text, p.type, p.score);
  return v;
}

std::vector<std::string> spelled(const Tokenizer& t, std::string_view text, bool parse_special = false) {
  std::vector<std::string> found;
  for (const std::int32_t id : t.encode(text, {.add_special = false, .parse_special = parse_special})) {
    found.emplace_back(t.token(id));
  }
  return found;
}

using Cases = std::vector<std::pair<std::string, std::vector<std::string>>>;

void expect_pieces(const Vocabulary& v, const Cases& cases) {
  const Tokenizer t = Tokenizer::from_vocabulary(v);
  for (const auto& [text, pieces] : cases) EXPECT_EQ(spelled(t, text), pieces) << text;
}

// The pieces are those of the library SentencePiece 0.2.3 with models of these pieces.

TEST(PlainText, SpmJoinsNoSpecialTokenAsSentencePiece) {
  expect_pieces(spm({{"<s", -1},
                     {"</", -2},
                     {"</s", -3},
                     {"<u", -4},
                     {"<un", -5},
                     {"<unk", -6},
                     {"<0", -7},
                     {"<0x", -8},
                     {"<0x4", -9},
                     {"<0x41", -10}}),
                {{"a<s>b", {"a", "<s", ">", "b"}},
                 {"</s>", {"</s", ">"}},
                 {"<unk>", {"<unk", ">"}},
                 {"<0x41>", {"<0x41", ">"}},
                 {"a<s><s>", {"a", "<s", ">", "<s", ">"}}});
}

TEST(PlainText, SpmTakesUnusedPiecesApartAsSentencePiece) {
  constexpr TokenType unused = TokenType::unused;
  expect_pieces(spm({{"ab", -1, unused},
                     {"abc", -2},
                     {"bc", -3},
                     {"de", -4, unused},
                     {"aa", -5, unused},
                     {"cd", -6, unused},
                     {"abcd", -1.5F, unused}}),
                {{"ab", {"a", "b"}},
                 {"abc", {"abc"}},
                 {"abd", {"a", "b", "d"}},
                 {"de", {"d", "e"}},
                 {"aab", {"a", "a", "b"}},
                 {"abcd", {"abc", "d"}},
                 {"xde", {"x", "d", "e"}},
                 {"dede", {"d", "e", "d", "e"}},
                 {"aaa", {"a", "a", "a"}},
                 {"aaaa", {"a", "a", "a", "a"}}});
  for (const TokenType type : {unused, TokenType::control}) {
    expect_pieces(spm({{"e", -4, type}}, "<s>/abcd"), {{"e", {"<0x65>"}}, {"de", {"d", "<0x65>"}}});
  }
}

TEST(PlainText, SpmKeepsUserDefinedPiecesWholeAsSentencePiece) {
  expect_pieces(spm({{"ab", 0, TokenType::user_defined}, {"abc", -2}, {"bc", -3}, {"ca", -1}}),
                {{"abc", {"ab", "c"}}, {"cab", {"c", "ab"}}, {"ab", {"ab"}}, {"aab", {"a", "ab"}}});
}

/// A token that the file calls normal is taken as a control token by its name, and then no text becomes it.
TEST(PlainText, TokensThatAreTakenAsControlTokensAreNotFoundEither) {
  Vocabulary v = spm({{"</", -2}, {"</s", -3}});
  v.types[2] = TokenType::normal;
  const Tokenizer t = Tokenizer::from_vocabulary(v);
  EXPECT_EQ(spelled(t, "</s>"), (std::vector<std::string>{"</s", ">"}));
  EXPECT_EQ(t.encode("</s>", {.add_special = false, .parse_special = true}), Ids{2});
}

TEST(PlainText, BpeMergesNoSpecialToken) {
  for (const std::string_view pre : {"gpt-2", "llama-bpe"}) {  // the second one looks up whole words first
    Vocabulary v = test::small_bpe(pre);
    for (const std::string_view merge : {"q w", "qw e"}) v.merges.push_back(merge);
    test::add_token(v, "qw");
    test::add_token(v, "qwe", TokenType::control);
    const Tokenizer t = Tokenizer::from_vocabulary(v);
    EXPECT_EQ(spelled(t, "qwe"), (std::vector<std::string>{"qw", "e"})) << pre;
    EXPECT_EQ(spelled(t, "qwe", true), std::vector<std::string>{"qwe"}) << pre;
    EXPECT_THAT(t.notes(), Contains(HasSubstr("1 entry makes a special token"))) << pre;
  }
  // A byte whose only token is a special one has none.
  Vocabulary v = test::small_bpe();
  v.types['q'] = TokenType::control;
  EXPECT_EQ(spelled(Tokenizer::from_vocabulary(v), "hq"), std::vector<std::string>{"h"});
}

TEST(PlainText, OfOneSpellingParsingTakesTheControlTokenAndTextTheOther) {
  for (const bool control_first : {true, false}) {
    for (const bool bpe : {true, false}) {
      for (const TokenType other : {TokenType::normal, TokenType::user_defined}) {
        Vocabulary v = bpe ? test::small_bpe() : spm({{"qw", -1}}, "abcqwe");
        if (bpe) {
          for (const std::string_view merge : {"q w", "qw e"}) v.merges.push_back(merge);
          test::add_token(v, "qw");
        }
        const auto first = static_cast<std::int32_t>(v.tokens.size());
        test::add_token(v, "qwe", control_first ? TokenType::control : other, -0.5F);
        test::add_token(v, "qwe", control_first ? other : TokenType::control, -0.5F);
        const Tokenizer t = Tokenizer::from_vocabulary(v);
        const std::int32_t control = control_first ? first : first + 1, plain = control_first ? first + 1 : first;
        EXPECT_EQ(t.encode("qwe", {.add_special = false}), Ids{plain}) << control_first << bpe;
        EXPECT_EQ(t.encode("qwe", {.add_special = false, .parse_special = true}), Ids{control}) << control_first << bpe;
        EXPECT_TRUE(t.notes().empty()) << "neither is out of reach";
      }
    }
  }
}

}  // namespace
}  // namespace toy

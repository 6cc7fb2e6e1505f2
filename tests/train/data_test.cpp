// From texts to batches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "toy/tensor/random.h"
#include "toy/text/vocabulary.h"
#include "toy/train/batches.h"
#include "toy/train/corpus.h"
#include "toy/train/recipe.h"

#include "tests/io/expect_error.h"
#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TokenData tokens_of(std::vector<std::string> documents) {
  const Corpus corpus = Corpus::texts(std::move(documents));
  return TokenData::over(std::make_shared<const std::vector<std::byte>>(
                             encode_documents(Tokenizer::from_vocabulary(byte_vocabulary()), corpus.documents())),
                         "tokens");
}

TEST(Windows, AnEpochSeesEveryWindowOnceInAnOrderOfItsOwn) {
  WindowSampler sampler(100, 100 + 7 * 31 + 5, 7, 3);
  std::vector<std::int64_t> first, second;
  const std::int64_t windows = sampler.windows_per_epoch();
  for (std::int64_t i = 0; i < windows; ++i) first.push_back(sampler.next());
  const std::int64_t offset = sampler.state().offset;
  for (std::int64_t i = 0; i < sampler.windows_per_epoch(); ++i) second.push_back(sampler.next());
  const std::set<std::int64_t> distinct(first.begin(), first.end());
  EXPECT_EQ(distinct.size(), first.size());
  EXPECT_EQ(*distinct.begin(), 100 + offset);
  EXPECT_LE(*distinct.rbegin() + 7 + 1, 100 + 7 * 31 + 5);
  EXPECT_NE(first, second);
  EXPECT_FALSE(std::ranges::is_sorted(first));
  WindowSampler again(100, 100 + 7 * 31 + 5, 7, 3);
  EXPECT_EQ(again.next(), first[0]);
  EXPECT_NE(WindowSampler(100, 100 + 7 * 31 + 5, 7, 4).state().shuffle, again.state().shuffle);
}

TEST(Windows, RestoringGoesOnAlsoIntoTheNextEpoch) {
  WindowSampler a(0, 60, 5, 1);
  for (int i = 0; i < 9; ++i) (void)a.next();
  WindowSampler b(0, 60, 5, 1);
  b.restore(a.state());
  for (int i = 0; i < 40; ++i) EXPECT_EQ(a.next(), b.next());
}

TEST(Windows, RefusesWhatDoesNotFit) {
  EXPECT_THAT(test::error_of([] { WindowSampler(0, 8, 8, 0); }),
              HasSubstr("8 tokens to train on, and a context of 8 needs"));
  WindowSampler sampler(0, 60, 5, 1);
  auto state = sampler.state();
  state.shuffle[0] = state.shuffle[1];
  EXPECT_THAT(test::error_of([&] { sampler.restore(state); }), HasSubstr("no permutation"));
  state = sampler.state();
  state.shuffle.pop_back();
  EXPECT_THAT(test::error_of([&] { sampler.restore(state); }), HasSubstr("does not fit"));
  state = sampler.state();
  state.position = 1000;
  EXPECT_THAT(test::error_of([&] { sampler.restore(state); }), HasSubstr("does not fit"));
}

TEST(Tokens, DocumentsBeginWithBosAndEndWithEos) {
  const TokenData data = tokens_of({"ab", "", "c"});
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < data.size(); ++i) ids.push_back(data[i]);
  const auto byte = [](char c) { return 3 + c; };
  EXPECT_THAT(ids, ElementsAre(1, byte('a'), byte('b'), 2, 1, byte('c'), 2));
  EXPECT_THAT(std::vector(data.documents().begin(), data.documents().end()), ElementsAre(0U, 4U));
  EXPECT_THAT(test::error_of([] { (void)tokens_of({}); }), HasSubstr("no text"));
}

/// Whatever a corpus spells, BOS and EOS stand only where its documents begin and end.
TEST(Tokens, ATextNeverBecomesAControlToken) {
  Vocabulary v = byte_vocabulary();
  for (const std::string_view piece : {"<s", "</", "</s", "<", ">"}) {
    v.tokens.push_back(piece);
    v.scores.push_back(-1);
    v.types.push_back(TokenType::normal);
  }
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(v);
  const Corpus corpus = Corpus::texts({"a<s>b", "</s></s>"});
  const TokenData tokens = TokenData::over(
      std::make_shared<const std::vector<std::byte>>(encode_documents(tokenizer, corpus.documents())), "tokens");
  std::vector<std::string_view> spelled;
  for (std::int64_t i = 0; i < tokens.size(); ++i) spelled.push_back(tokenizer.token(tokens[i]));
  EXPECT_THAT(spelled,
              ElementsAre("<s>", "<0x61>", "<s", ">", "<0x62>", "</s>", "<s>", "</s", ">", "</s", ">", "</s>"));
}

TEST(Tokens, CutsChangeTheIdsAndNotTheText) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "the caf\xC3\xA9 and the hen ";
  const Corpus corpus = Corpus::texts({text, "hen"});
  FromScratch recipe;
  recipe.vocabulary.merges = 30;
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(recipe.make_vocabulary(corpus).vocabulary);
  std::vector<std::vector<std::int32_t>> all;
  for (const EncodingOptions& options :
       {EncodingOptions{0, 1}, EncodingOptions{8, 1}, EncodingOptions{8, 1}, EncodingOptions{8, 2}}) {
    const TokenData data = TokenData::over(
        std::make_shared<const std::vector<std::byte>>(encode_documents(tokenizer, corpus.documents(), options)), "t");
    ASSERT_EQ(data.documents().size(), 2U);
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(data.documents()[1]); ++i) ids.push_back(data[i]);
    EXPECT_EQ(tokenizer.decode(ids), text);
    all.push_back(ids);
  }
  EXPECT_NE(all[0], all[1]);
  EXPECT_EQ(all[1], all[2]);
  EXPECT_NE(all[1], all[3]);
}

TEST(Recipe, MergesOutOfRangeAreRefused) {
  for (const std::int64_t merges :
       {std::int64_t{-1}, std::int64_t{1048577}, std::numeric_limits<std::int64_t>::max()}) {
    FromScratch recipe;
    recipe.vocabulary.merges = merges;
    EXPECT_EQ(test::error_of([&] { (void)recipe.make_vocabulary(Corpus::texts({"a hen"})); }),
              "vocab-size: expected 0 to 1048576 merges, found " + std::to_string(merges));
  }
}

TEST(Recipe, CutsNeedPieces) {
  const Corpus corpus = Corpus::texts({"a hen"});
  for (const auto& [kind, what] : {std::pair("byte", "bytes"), {"char", "characters"}}) {
    FromScratch recipe;
    recipe.vocabulary = {.kind = kind, .cuts = 1};
    EXPECT_EQ(test::error_of([&] { (void)recipe.make_vocabulary(corpus); }),
              std::string("cuts: they break pieces, and a vocabulary of ") + what + " has none");
    recipe.vocabulary.cuts = 0;
    EXPECT_EQ(recipe.make_vocabulary(corpus).end, TrainingEnd::complete);
  }
}

TEST(Recipe, FewerPiecesThanWantedAreTold) {
  FromScratch recipe;
  recipe.vocabulary.merges = 1;
  const Corpus corpus = Corpus::texts({"abab"});
  EXPECT_EQ(recipe.make_vocabulary(corpus).end, TrainingEnd::complete);
  recipe.vocabulary.merges = 5;  // "ab" alone stands there twice
  const TrainedVocabulary made = recipe.make_vocabulary(corpus);
  EXPECT_EQ(made.end, TrainingEnd::no_pairs_left);
  EXPECT_THAT(few_pieces(made), HasSubstr("has 1 learned piece: no pair"));
}

TEST(Tokens, TargetsFollowTheirTokensAndStopAtDocuments) {
  const TokenData data = tokens_of({"abcd", "efgh"});
  const std::vector<std::int64_t> starts{2};
  const Examples across = examples(data, starts, 8, false);
  EXPECT_EQ(across.batch.segments.size(), 1U);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(across.targets[i], data[3 + static_cast<std::int64_t>(i)]);
  const Examples inside = examples(data, starts, 8, true);
  ASSERT_EQ(inside.batch.segments.size(), 2U);
  EXPECT_EQ(inside.batch.segments[0].count, 4);
  EXPECT_EQ(inside.batch.segments[1].begin, 4);
  EXPECT_EQ(inside.batch.segments[1].past, 0);
  EXPECT_EQ(inside.targets[3], -1);
  EXPECT_EQ(inside.targets[4], data[7]);
}

TEST(Tokens, BadFilesAreRefused) {
  const Corpus corpus = Corpus::texts({"some text", "and more"});
  const auto good = encode_documents(Tokenizer::from_vocabulary(byte_vocabulary()), corpus.documents());
  const testing::ScratchFolder scratch;
  const auto open = [&](std::vector<std::byte> bytes) {
    testing::write_bytes(scratch / "t", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return test::error_of([&] { (void)TokenData::open(scratch / "t"); });
  };
  EXPECT_EQ(open(good), "no error");
  auto bytes = good;
  bytes[0] = std::byte{'X'};
  EXPECT_THAT(open(bytes), HasSubstr("is no token file"));
  bytes = good;
  bytes.pop_back();
  EXPECT_THAT(open(bytes), HasSubstr("found a file of"));
  bytes = good;
  bytes[8] = std::byte{3};
  EXPECT_THAT(open(bytes), HasSubstr("2 or 4 bytes"));
  bytes = good;
  bytes[32] = std::byte{1};
  EXPECT_THAT(open(bytes), HasSubstr("document 0 begins out of order"));
  bytes = good;
  bytes.back() = std::byte{0xFF};
  EXPECT_THAT(open(bytes), HasSubstr("outside the vocabulary of 259"));
}

/// Any change of a few bytes gives a file that is refused or safe to read.
TEST(Tokens, MutationsAreRefusedOrSafe) {
  const Corpus corpus = Corpus::texts({"some text", "and more of it"});
  const auto good = encode_documents(Tokenizer::from_vocabulary(byte_vocabulary()), corpus.documents());
  Random random(5);
  for (int i = 0; i < 20000; ++i) {
    auto bytes = good;
    for (int k = 0; k < 3; ++k) bytes[random.below(bytes.size())] = static_cast<std::byte>(random.below(256));
    if (random.below(4) == 0) bytes.resize(random.below(bytes.size()) + 1);
    try {
      const TokenData data = TokenData::over(std::make_shared<const std::vector<std::byte>>(bytes), "t");
      for (std::int64_t t = 0; t < data.size(); ++t) ASSERT_LT(data[t], data.vocabulary());
    } catch (const Error&) {
    }
  }
}

TEST(CorpusFiles, PatternsSeparatorsAndEmptyFiles) {
  const testing::ScratchFolder scratch;
  testing::write_bytes(scratch / "a.txt", "one##two##");
  testing::write_bytes(scratch / "b.txt", "three\r\nlines");
  testing::write_bytes(scratch / "c.txt", "");
  const std::vector<std::string> patterns{(scratch / "*.txt").string(), (scratch / "a.txt").string()};
  const Corpus corpus = Corpus::files(patterns, "##");
  EXPECT_THAT(std::vector(corpus.documents().begin(), corpus.documents().end()),
              ElementsAre("one", "two", "three\r\nlines"));
  EXPECT_EQ(corpus.paths().size(), 3U);
}

TEST(CorpusFiles, AByteOrderMarkIsNoText) {
  const testing::ScratchFolder scratch;
  testing::write_bytes(scratch / "marked", "\xEF\xBB\xBFone\xEF\xBB\xBF##two");
  testing::write_bytes(scratch / "plain", "one\xEF\xBB\xBF##two");
  testing::write_bytes(scratch / "alone", "\xEF\xBB\xBF");
  const auto corpus_of = [&](const char* name) {
    const std::vector<std::string> patterns{(scratch / name).string()};
    return Corpus::files(patterns, "##");
  };
  const Corpus marked = corpus_of("marked"), plain = corpus_of("plain");
  EXPECT_THAT(std::vector(marked.documents().begin(), marked.documents().end()), ElementsAre("one\xEF\xBB\xBF", "two"));
  ASSERT_EQ(marked.notes().size(), 1U);
  EXPECT_THAT(marked.notes()[0], HasSubstr("marked: begins with a byte order mark"));
  EXPECT_TRUE(plain.notes().empty());
  EXPECT_THAT(test::error_of([&] { (void)corpus_of("alone"); }), HasSubstr("no text in 1 file"));
  for (const char* kind : {"bpe", "char", "byte"}) {
    FromScratch recipe;
    recipe.vocabulary = {.kind = kind, .merges = 3};
    const Vocabulary a = recipe.make_vocabulary(marked).vocabulary, b = recipe.make_vocabulary(plain).vocabulary;
    ASSERT_EQ(a.tokens.size(), b.tokens.size()) << kind;
    const auto bytes = encode_documents(Tokenizer::from_vocabulary(a), marked.documents());
    EXPECT_EQ(bytes, encode_documents(Tokenizer::from_vocabulary(b), plain.documents())) << kind;
  }
}

TEST(CorpusFiles, WrongOnesAreNamed) {
  const testing::ScratchFolder scratch;
  const auto error = [&](const std::string& name) {
    const std::vector<std::string> patterns{(scratch / name).string()};
    return test::error_of([&] { (void)Corpus::files(patterns); });
  };
  EXPECT_THAT(error("*.none"), HasSubstr("matches no file"));
  testing::write_bytes(scratch / "empty", "");
  EXPECT_THAT(error("empty"), HasSubstr("no text in 1 file"));
  testing::write_bytes(scratch / "binary", std::string("ELF\0\1\2", 6));
  EXPECT_THAT(error("binary"), HasSubstr("is not a text: byte 3 is 0"));
  EXPECT_EQ(test::error_of([] { (void)Corpus::files(std::vector<std::string>{"/dev/null"}); }),
            "corpus: /dev/null is not a regular file");
  testing::write_bytes(scratch / "latin", "caf\xE9 au lait");
  const std::vector<std::string> patterns{(scratch / "latin").string()};
  const Corpus latin = Corpus::files(patterns);
  ASSERT_EQ(latin.notes().size(), 1U);
  EXPECT_THAT(latin.notes()[0], HasSubstr("byte 3 is not UTF-8"));
}

}  // namespace
}  // namespace toy

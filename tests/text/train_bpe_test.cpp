// Vocabularies made from a corpus, against a plain trainer that counts everything anew for every merge.
#include "toy/text/train_bpe.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <malloc.h>
#include <map>
#include <random>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

#include "toy/io/gguf.h"
#include "toy/tensor/error.h"
#include "toy/text/bytes.h"
#include "toy/text/character_stream.h"
#include "toy/text/tokenizer.h"

#include "tests/io/scratch.h"
#include "tests/peak.h"
#include "tests/sanitized.h"
#include "tests/text/bpe_trial.h"
#include "tests/text/sample.h"

namespace toy {
namespace {

using test::Ids;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int32_t first_character = 3 + 256;

/// The spellings behind the 259 tokens of every vocabulary.
std::vector<std::string> pieces_of(const Vocabulary& v) {
  std::vector<std::string> pieces;
  for (std::size_t i = first_character; i < v.tokens.size(); ++i) pieces.emplace_back(v.tokens[i]);
  return pieces;
}

std::vector<std::string> last_pieces(const TrainedVocabulary& t) {
  const std::vector<std::string> all = pieces_of(t.vocabulary);
  return {all.end() - t.merges, all.end()};
}

BpeOptions wanting(std::int32_t merges) {
  BpeOptions options;
  options.merges = merges;
  return options;
}

Ids encode(const Tokenizer& tokenizer, std::string_view text) { return tokenizer.encode(text, {.add_special = false}); }

/// The bytes of all pieces, one after another.
std::string joined(const Tokenizer& tokenizer, const Ids& ids) {
  std::string text;
  for (std::int32_t id : ids) text += tokenizer.piece(id);
  return text;
}

// The plain version. A text is a list of parts; one that begins with NUL is a barrier.

using Parts = std::vector<std::string>;
const std::string barrier(1, '\0');

Parts characters_of(std::string_view text, const std::set<std::string>& rare = {}) {
  Parts parts;
  for (char byte : text) {
    if ((static_cast<unsigned char>(byte) & 0xC0) == 0x80) {
      parts.back() += byte;
    } else {
      parts.emplace_back(1, byte);
    }
  }
  for (std::string& part : parts) {
    if (part == " ") part = "\u2581";
    if (rare.contains(part)) part = barrier + part;
  }
  return parts;
}

/// Joins, again and again, the pair that spells the earliest piece, the leftmost of several.
void join_by_rank(Parts& parts, const std::map<std::string, int>& rank) {
  while (true) {
    int best = INT_MAX;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = rank.find(parts[i] + parts[i + 1]);
      if (found == rank.end() || found->second >= best) continue;
      best = found->second;
      at = i;
    }
    if (best == INT_MAX) return;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

/// Applies the merges as pairs, one after another, each from left to right.
void join_pairs_in_order(Parts& parts, const std::vector<std::pair<std::string, std::string>>& pairs) {
  for (const auto& [left, right] : pairs) {
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      if (parts[i] != left || parts[i + 1] != right) continue;
      parts[i] += parts[i + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
  }
}

struct Naive {
  std::vector<std::pair<std::string, std::string>> pairs;
  std::vector<std::string> merges;
  std::map<std::string, int> rank;
  std::size_t tokens = 0;
};

/// Whether text is a token that no text may become, or would be with one character or piece beside it.
bool is_passed_over(const std::string& text, const std::map<std::string, int>& rank) {
  if (text.find_first_of("<>") == std::string::npos) return false;
  static const std::vector<std::string> reserved = [] {
    std::vector<std::string> all = {"<s>", "</s>", "<unk>"};
    for (int byte = 0; byte < 256; ++byte) all.push_back(fmt::format("<0x{:02X}>", byte));
    return all;
  }();
  const auto is_one = [&](const std::string& rest) { return characters_of(rest).size() == 1 || rank.contains(rest); };
  return std::ranges::any_of(reserved, [&](const std::string& token) {
    if (token.size() <= text.size()) return token == text;
    return (token.starts_with(text) && is_one(token.substr(text.size()))) ||
           (token.ends_with(text) && is_one(token.substr(0, token.size() - text.size())));
  });
}

Naive naive_training(const std::vector<Parts>& texts, int merges, std::size_t min_count) {
  Naive result;
  while (true) {
    std::vector<Parts> now = texts;
    std::map<std::string, std::size_t> counts;
    std::map<std::string, std::pair<std::string, std::string>> pair_of;
    result.tokens = 0;
    for (Parts& parts : now) {
      join_by_rank(parts, result.rank);
      result.tokens += parts.size();
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        ++counts[parts[i] + parts[i + 1]];
        pair_of[parts[i] + parts[i + 1]] = {parts[i], parts[i + 1]};
      }
    }
    std::pair<std::string, std::size_t> best;
    for (const auto& [text, count] : counts) {
      if (text.find('\0') != std::string::npos || count < min_count || is_passed_over(text, result.rank)) continue;
      if (count > best.second || (count == best.second && text.size() < best.first.size())) best = {text, count};
    }
    if (best.second == 0 || static_cast<int>(result.merges.size()) == merges) return result;
    result.rank.emplace(best.first, static_cast<int>(result.merges.size()));
    result.merges.push_back(best.first);
    result.pairs.push_back(pair_of[best.first]);
  }
}

const std::vector<std::vector<std::string>> alphabets = {{"a"},
                                                         {"a", "b"},
                                                         {"a", "b", " "},
                                                         {"a", " ", "\n", "é"},
                                                         {"你", "好", "😀", " ", "a"},
                                                         {"a", "b", "c", "d", "e", "f"},
                                                         {"<", "s", ">", "/", "a"},
                                                         {"<", "0", "x", "4", "1", ">"}};

TEST(TrainBpe, EqualsCountingEverythingAnew) {
  std::mt19937_64 random(7);
  for (int trial = 0; trial < 1500; ++trial) {
    const auto& alphabet = alphabets[test::below(random, alphabets.size())];
    std::vector<std::string> texts;
    for (std::size_t n = 1 + test::below(random, 3); n > 0; --n)
      texts.push_back(test::random_text(random, alphabet, 60));
    BpeOptions options = wanting(static_cast<std::int32_t>(test::below(random, 25)));
    options.min_pair_count = static_cast<std::uint32_t>(1 + test::below(random, 3));
    options.listed_places = test::below(random, 4) * test::below(random, trial % 2 == 0 ? 30 : 300);
    options.counted_pairs = test::below(random, 4) * test::below(random, 10);

    std::vector<Parts> parts;
    parts.reserve(texts.size());
    for (const std::string& text : texts) parts.push_back(characters_of(text));
    const Naive naive = naive_training(parts, options.merges, options.min_pair_count);
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    const TrainedVocabulary trained = train_bpe(views, options);
    ASSERT_EQ(last_pieces(trained), naive.merges)
        << nlohmann::json(texts) << ", listed " << options.listed_places << ", counted " << options.counted_pairs;
    ASSERT_EQ(trained.tokens, naive.tokens) << nlohmann::json(texts);
    ASSERT_EQ(trained.end == TrainingEnd::complete, static_cast<int>(naive.merges.size()) == options.merges);

    // The tokenizer agrees with the merges by rank, on the corpus and on other texts.
    const Tokenizer tokenizer = Tokenizer::from_vocabulary(trained.vocabulary);
    std::size_t tokens = 0;
    for (const std::string& text : texts) tokens += encode(tokenizer, text).size();
    ASSERT_EQ(tokens, trained.tokens);
    for (int i = 0; i < 4; ++i) {
      const std::string text = test::random_text(random, alphabet, 40);
      Parts expected = characters_of(text);
      join_by_rank(expected, naive.rank);
      Parts found;
      const Ids ids = encode(tokenizer, text);
      found.reserve(ids.size());
      for (std::int32_t id : ids) found.emplace_back(tokenizer.token(id));
      std::set<std::string> known;
      for (const Parts& p : parts) known.insert(p.begin(), p.end());
      const bool all_known = std::ranges::all_of(characters_of(text), [&](auto& c) { return known.contains(c); });
      if (all_known) {
        Parts by_pairs = characters_of(text);
        join_pairs_in_order(by_pairs, naive.pairs);
        ASSERT_EQ(by_pairs, expected);
        ASSERT_EQ(found, expected) << nlohmann::json(texts) << " then " << nlohmann::json(text);
      }
      ASSERT_EQ(joined(tokenizer, ids), text);
    }
  }
}

TEST(TrainBpe, RareCharactersAreBarriers) {
  std::mt19937_64 random(8);
  const std::vector<std::string> alphabet = {"a", "a", "a", "b", "b", "é", "你", " ", "\u2581"};
  for (int trial = 0; trial < 300; ++trial) {
    const std::string text = test::random_text(random, alphabet, 50);
    BpeOptions options = wanting(12);
    options.min_character_count = test::below(random, 9);
    std::map<std::string, std::size_t> counts;
    for (const std::string& c : characters_of(text)) ++counts[c];
    std::set<std::string> rare;
    for (const auto& [c, count] : counts) {
      if (count < options.min_character_count && c != "\u2581") rare.insert(c);
    }
    const TrainedVocabulary trained = train_bpe(text, options);
    ASSERT_EQ(last_pieces(trained), naive_training({characters_of(text, rare)}, 12, 2).merges) << text;
    const Tokenizer tokenizer = Tokenizer::from_vocabulary(trained.vocabulary);
    for (const auto& [c, count] : counts) ASSERT_EQ(tokenizer.find(c).has_value(), !rare.contains(c)) << c;
    ASSERT_EQ(encode(tokenizer, text).size(), trained.tokens);
    std::string plain = text;
    for (std::size_t at; (at = plain.find("\u2581")) != std::string::npos;) plain.replace(at, 3, " ");
    ASSERT_EQ(tokenizer.decode(encode(tokenizer, text)), plain);
  }
}

TEST(TrainBpe, ByHand) {
  // Pairs: ab 3, b_ 2, _a 2; then ab_ 2, _ab 2: equally long, and 'a' sorts before U+2581; then ab_ab_ does not repeat.
  const TrainedVocabulary t = train_bpe("ab ab ab", wanting(10));
  EXPECT_THAT(pieces_of(t.vocabulary), ElementsAre("a", "b", "ab", "ab\u2581"));
  EXPECT_EQ(t.merges, 2);
  EXPECT_EQ(t.end, TrainingEnd::no_pairs_left);
  EXPECT_EQ(t.tokens, 3u);
  EXPECT_EQ(t.bytes, 8u);
  EXPECT_EQ(t.vocabulary.tokens[3 + ' '], "\u2581");
  EXPECT_EQ(t.vocabulary.scores[first_character], 0);
  EXPECT_FALSE(std::signbit(t.vocabulary.scores[first_character]));
  EXPECT_EQ(t.vocabulary.scores[first_character + 2], -1);
  EXPECT_EQ(t.vocabulary.scores[first_character + 3], -2);
}

TEST(TrainBpe, RunsOfOneCharacter) {
  // aaaa: the pair aa counts three times, then aa aa once.
  EXPECT_THAT(last_pieces(train_bpe("aaaa", wanting(9))), ElementsAre("aa"));
  EXPECT_THAT(last_pieces(train_bpe("aaa", wanting(9))), ElementsAre("aa"));
  EXPECT_EQ(train_bpe("aaa", wanting(9)).tokens, 2u);
  EXPECT_EQ(train_bpe("aa", wanting(9)).merges, 0);
  const TrainedVocabulary t = train_bpe(std::string(1 << 20, 'a'), wanting(100));
  EXPECT_EQ(t.merges, 19) << "every merge halves the text, until two are left";
  EXPECT_EQ(t.tokens, 2u);
}

TEST(TrainBpe, NothingToLearnFrom) {
  for (std::string_view text : {"", "x"}) {
    const TrainedVocabulary t = train_bpe(text);
    EXPECT_EQ(t.merges, 0);
    EXPECT_EQ(t.end, TrainingEnd::no_pairs_left);
    EXPECT_EQ(t.tokens, text.size());
    const Tokenizer tokenizer = Tokenizer::from_vocabulary(t.vocabulary);
    EXPECT_EQ(tokenizer.size(), first_character + static_cast<std::int32_t>(text.size()));
    EXPECT_EQ(tokenizer.decode(tokenizer.encode("any text")), "any text");
  }
  EXPECT_EQ(train_bpe(std::span<const std::string_view>{}).end, TrainingEnd::no_pairs_left);
  EXPECT_EQ(train_bpe("abab", wanting(0)).end, TrainingEnd::complete);
}

TEST(TrainBpe, PairsDoNotReachAcrossTexts) {
  const std::vector<std::string_view> texts = {"ab", "ab", "ab"};
  const TrainedVocabulary t = train_bpe(texts, wanting(9));
  EXPECT_THAT(last_pieces(t), ElementsAre("ab"));
  EXPECT_EQ(t.tokens, 3u);
}

TEST(TrainBpe, BytesThatAreNoUtf8BecomeByteTokens) {
  const std::string text = "ab\xFF\xE2\x96 ab\xFF\xE2\x96 ab";
  const TrainedVocabulary t = train_bpe(text, wanting(9));
  EXPECT_EQ(t.invalid_bytes, 6u);
  EXPECT_EQ(t.first_invalid, 2u);
  EXPECT_THAT(last_pieces(t), ElementsAre("ab",
                                          "\u2581"
                                          "ab"));
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(t.vocabulary);
  const Ids ids = encode(tokenizer, text);
  EXPECT_EQ(ids.size(), t.tokens);
  EXPECT_EQ(joined(tokenizer, ids), text);

  const std::vector<std::string_view> texts = {"aé", "\x80"};
  EXPECT_EQ(train_bpe(texts).first_invalid, 3u);
  EXPECT_EQ(train_bpe("abc").first_invalid, std::nullopt);
}

TEST(TrainBpe, NoTextBecomesAnotherTokenThanText) {
  for (std::string_view special : {"<s>", "</s>", "<unk>", "<0x41>", "<0x0A>"}) {
    for (std::string_view around : {"", " ", "x", "<", ">"}) {
      std::string text;
      for (int i = 0; i < 20; ++i) text.append(around).append(special);
      for (std::size_t cut : {1, 2, 3}) text.append(special.substr(0, cut)).append(text).append(special.substr(cut));
      const TrainedVocabulary t = train_bpe(text, wanting(200));
      const Tokenizer tokenizer = Tokenizer::from_vocabulary(t.vocabulary);
      EXPECT_TRUE(tokenizer.notes().empty());
      for (const std::string& more : {text, std::string(special), std::string(special.substr(1)) + text}) {
        const Ids ids = encode(tokenizer, more);
        EXPECT_EQ(joined(tokenizer, ids), more);
        for (std::int32_t id : ids) EXPECT_EQ(tokenizer.type(id), TokenType::normal) << tokenizer.token(id);
      }
    }
  }
}

TEST(TrainBpe, VisibleSpaceIsASpace) {
  const TrainedVocabulary t = train_bpe("a\u2581 a\u2581 ", wanting(9));
  EXPECT_THAT(pieces_of(t.vocabulary), ElementsAre("a", "a\u2581", "a\u2581\u2581"));
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(t.vocabulary);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a\u2581")), "a ");
}

TEST(TrainBpe, TheCallbackEndsIt) {
  std::vector<std::int32_t> seen;
  BpeOptions options = wanting(5);
  options.progress = [&](const BpeProgress& p) {
    seen.push_back(p.merges);
    EXPECT_EQ(p.wanted, 5);
    EXPECT_EQ(p.tokens, p.merges == 0 ? 20u : p.merges == 1 ? 15u : 10u);
    return p.merges < 2;
  };
  const TrainedVocabulary t = train_bpe("abcdabcdabcdabcdabcd", options);
  EXPECT_EQ(t.end, TrainingEnd::cancelled);
  EXPECT_THAT(last_pieces(t), ElementsAre("ab", "cd"));
  EXPECT_THAT(seen, ElementsAre(0, 1, 2));
}

TEST(TrainBpe, OptionsOutOfRangeAreRefused) {
  const auto message = [](const BpeOptions& options) {
    try {
      train_bpe("ab", options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message(wanting(-1)), HasSubstr("merges: expected 0 to 14680064, found -1"));
  EXPECT_THAT(message(wanting(1 << 24)), HasSubstr("found 16777216"));
  BpeOptions options;
  options.min_pair_count = 0;
  EXPECT_THAT(message(options), HasSubstr("min_pair_count: expected 1 or more"));
}

constexpr std::string_view poem =
    "Twinkle, twinkle, little star,\nHow I wonder what you are!\nUp above the world so high,\n"
    "Like a diamond in the sky.\n\nTwinkle, twinkle, little star,\n\tHow I wonder what you are! — ☆ 小さな星\n";

/// Written to a file and read again: the same tokenizer. Decoding is joining pieces.
void expect_round_trips(const TrainedVocabulary& trained, std::string_view text) {
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(trained.vocabulary);
  EXPECT_TRUE(tokenizer.notes().empty());
  Metadata metadata;
  metadata.set("general.architecture", "llama");
  write_vocabulary(trained.vocabulary, metadata);
  const toy::testing::ScratchFolder folder;
  write_gguf(folder / "vocabulary.gguf", metadata, {});
  const Tokenizer loaded = Tokenizer::from_metadata(GgufFile::open(folder / "vocabulary.gguf").metadata());

  const Ids ids = encode(tokenizer, text);
  EXPECT_EQ(ids.size(), trained.tokens);
  EXPECT_EQ(ids, encode(loaded, text));
  EXPECT_EQ(tokenizer.encode("You? 🚀 ☆\x01 <s>"), loaded.encode("You? 🚀 ☆\x01 <s>"));
  for (const Tokenizer* t : {&tokenizer, &loaded}) {
    EXPECT_EQ(t->decode(ids), text);
    EXPECT_EQ(joined(*t, ids), text);
    EXPECT_EQ(t->decode(t->encode("  You? 🚀 ☆\x01 <s>")), "  You? 🚀 ☆\x01 <s>");
    EXPECT_EQ(t->bos(), 1);
    EXPECT_EQ(t->eos(), 2);
  }
}

TEST(TrainBpe, ThereAndBack) {
  expect_round_trips(train_bpe(poem, wanting(50)), poem);
  expect_round_trips(character_vocabulary(poem), poem);
}

TEST(TrainBpe, ThereAndBackOnShakespeare) {
  const std::filesystem::path path = toy::testing::reference_folder() / "corpus/tinyshakespeare.txt";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs TOY_REFERENCE";
  const std::string text = toy::testing::read_bytes(path);
  const TrainedVocabulary trained = train_bpe(text, wanting(500));
  EXPECT_EQ(trained.merges, 500);
  expect_round_trips(trained, text);
  BpeOptions in_rounds = wanting(500);
  in_rounds.listed_places = 50'000;
  EXPECT_EQ(pieces_of(train_bpe(text, in_rounds).vocabulary), pieces_of(trained.vocabulary));
  expect_round_trips(character_vocabulary(text), text);
}

/// Bytes that f takes at most above what is there before, measured in a child.
std::int64_t peak_of(const std::function<void()>& f) {
  int ends[2] = {};
  if (::pipe(ends) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    ::malloc_trim(0);  // what was freed is not there for f
    testing::forget_peak();
    const std::int64_t before = testing::peak_bytes();
    f();
    const std::int64_t taken = testing::peak_bytes() - before;
    ::_exit(::write(ends[1], &taken, sizeof taken) == sizeof taken ? 0 : 1);
  }
  std::int64_t taken = -1;
  ::close(ends[1]);
  if (::read(ends[0], &taken, sizeof taken) != sizeof taken) taken = -1;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return taken;
}

TEST(TrainBpe, MemoryIsForeseen) {
  if (testing::sanitized()) GTEST_SKIP() << "sanitizers take memory of their own";
  std::mt19937_64 random(4);
  const auto signs = [&](int count, const std::function<double(double)>& which) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      append_utf8(text, static_cast<char32_t>(0x4E00 + which(static_cast<double>(random() >> 11) * 0x1p-53)));
    }
    return text;
  };
  std::string rare;
  for (char32_t sign = 0x20000; sign < 0x38000; ++sign) append_utf8(rare += "ab", sign);
  const std::vector<std::pair<const char*, std::string>> cases = {
      {"two letters", signs(4'000'000, [](double x) { return 2 * x; })},
      {"many pairs", signs(2'000'000, [](double x) { return 6000 * x; })},
      {"frequent and rare", signs(2'000'000, [](double x) { return std::pow(5000, x); })},
      {"98,000 characters", rare},
      {"no UTF-8", std::string(6'000'000, '\x80')}};
  for (const auto& [what, text] : cases) {
    const std::vector<std::string_view> texts = {text};
    for (const std::int32_t merges : {500, 20'000}) {
      const auto foreseen = static_cast<std::int64_t>(bpe_bytes(texts, merges));
      const std::int64_t found = peak_of([&] { (void)train_bpe(texts, wanting(merges)); });
      EXPECT_LT(std::abs(foreseen - found), std::max<std::int64_t>(4 << 20, found / 20)) << what << ", " << merges;
    }
  }
  EXPECT_LT(bpe_bytes({}, 500), 2'000'000u);
  const std::vector<std::string_view> small = {"abab"};
  for (const std::int64_t merges : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_LT(bpe_bytes(small, merges), 2'000'000u) << merges;
  }
}

TEST(TrainBpe, AskingForMoreMemoryThanTheCorpusNeedsTakesNone) {
  BpeOptions options = wanting(5);
  options.listed_places = options.counted_pairs = std::numeric_limits<std::size_t>::max();
  EXPECT_THAT(last_pieces(train_bpe("abab", options)), ElementsAre("ab"));
}

TEST(TrainBpe, TheCallbackIsAskedBeforeEveryReading) {
  std::mt19937_64 random(4);
  const std::string text = test::random_text(random, {"a", "b", "c", "d", "e", "f", "g", "h"}, 4000);
  BpeOptions options = wanting(5);
  options.counted_pairs = 4;
  int before_the_first = 0;
  options.progress = [&](const BpeProgress& p) {
    before_the_first += p.merges == 0 ? 1 : 0;
    return true;
  };
  EXPECT_EQ(train_bpe(text, options).merges, 5);
  EXPECT_GT(before_the_first, 4);
  options.progress = [&](const BpeProgress&) { return false; };
  const TrainedVocabulary none = train_bpe(text, options);
  EXPECT_EQ(none.end, TrainingEnd::cancelled);
  EXPECT_EQ(none.merges, 0);
}

TEST(CharacterVocabulary, OneTokenForEachCharacter) {
  const TrainedVocabulary t = character_vocabulary("b a\né b");
  EXPECT_THAT(pieces_of(t.vocabulary), ElementsAre("\n", "a", "b", "é"));
  EXPECT_EQ(t.end, TrainingEnd::complete);
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(t.vocabulary);
  EXPECT_EQ(encode(tokenizer, "a é"), (Ids{260, 3 + ' ', 262}));
  EXPECT_EQ(encode(tokenizer, "z"), Ids{3 + 'z'});
  EXPECT_THAT(pieces_of(character_vocabulary("aab", 2).vocabulary), ElementsAre("a"));
}

TEST(CharacterVocabulary, IsWhatBpeBeginsWith) {
  std::mt19937_64 random(5);
  for (int trial = 0; trial < 200; ++trial) {
    const std::string text = test::random_text(random, {"a", "b", " ", "\u2581", "é", "你", "😀", "\xFF", "\n"}, 40);
    const std::vector<std::string_view> texts = {text, "ab", ""};
    const std::uint64_t rarest = 1 + test::below(random, 4);
    const TrainedVocabulary mine = character_vocabulary(texts, rarest);
    BpeOptions without_merges;
    without_merges.merges = 0;
    without_merges.min_character_count = rarest;
    const TrainedVocabulary bpe = train_bpe(texts, without_merges);
    ASSERT_EQ(pieces_of(mine.vocabulary), pieces_of(bpe.vocabulary)) << text;
    EXPECT_EQ(mine.tokens, bpe.tokens) << text;
    EXPECT_EQ(mine.bytes, bpe.bytes);
    EXPECT_EQ(mine.invalid_bytes, bpe.invalid_bytes);
    EXPECT_EQ(mine.first_invalid, bpe.first_invalid);
    std::size_t encoded = 0;
    const Tokenizer tokenizer = Tokenizer::from_vocabulary(mine.vocabulary);
    for (const std::string_view part : texts) encoded += encode(tokenizer, part).size();
    EXPECT_EQ(mine.tokens, encoded) << text;
  }
}

TEST(TrainBpe, AnyBytesThereAndBack) {
  const char* wanted = std::getenv("TOY_FUZZ_RUNS");
  const long runs = wanted == nullptr ? 3000 : std::atol(wanted);
  std::mt19937_64 random(21);
  for (long run = 0; run < runs; ++run) {
    std::vector<std::uint8_t> bytes(test::below(random, 200));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    ASSERT_NO_THROW(test::bpe_trial(bytes)) << "run " << run;
  }
}

}  // namespace
}  // namespace toy

// The two algorithms against plain quadratic versions of their definitions, on small random vocabularies.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <random>
#include <set>

#include "toy/text/tokenizer.h"

#include "tests/text/sample.h"

namespace toy {
namespace {

using test::Ids;

std::vector<std::string> characters_of(const std::string& text) {
  std::vector<std::string> characters;
  for (char byte : text) {
    if ((static_cast<unsigned char>(byte) & 0xC0) == 0x80) {
      characters.back() += byte;
    } else {
      characters.emplace_back(1, byte);
    }
  }
  return characters;
}

struct Lists {
  std::map<std::string, std::int32_t> ids;
  std::vector<float> scores;
  std::vector<std::pair<std::string, std::string>> merges;
};

/// Joins the best-scored pair, the first of equals, until there is none.
Ids naive_spm(const Lists& lists, const std::string& text) {
  std::vector<std::string> parts = characters_of(text);
  while (true) {
    std::optional<std::size_t> best;
    float best_score = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = lists.ids.find(parts[i] + parts[i + 1]);
      if (found == lists.ids.end() || (best && lists.scores[found->second] <= best_score)) continue;
      best = i;
      best_score = lists.scores[found->second];
    }
    if (!best) break;
    parts[*best] += parts[*best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(*best) + 1);
  }
  Ids out;
  for (const std::string& part : parts) {
    if (lists.ids.contains(part)) {
      out.push_back(lists.ids.at(part));
      continue;
    }
    for (unsigned char byte : part == "\u2581" ? " " : part) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      out.push_back(lists.ids.at(name));
    }
  }
  return out;
}

/// Applies the first merge of the list that fits anywhere, at its first place, until none fits.
Ids naive_bpe(const Lists& lists, const std::string& text) {
  std::vector<std::string> parts = characters_of(text);
  const auto merge_once = [&] {
    for (const auto& [left, right] : lists.merges) {
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        if (parts[i] != left || parts[i + 1] != right) continue;
        parts[i] += parts[i + 1];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        return true;
      }
    }
    return false;
  };
  while (merge_once()) {
  }
  Ids out;
  for (const std::string& part : parts) {
    for (const std::string& piece : lists.ids.contains(part) ? std::vector{part} : characters_of(part)) {
      if (lists.ids.contains(piece)) out.push_back(lists.ids.at(piece));
    }
  }
  return out;
}

TEST(Reference, SpmOnRandomVocabularies) {
  const std::vector<std::string> alphabet = {"a", "b", "c", "\u2581", "é", "你"};
  const std::vector<std::string> text_parts = {"a", "b", "c", " ", "é", "你", "d", "\n", "ab", "  "};
  std::mt19937_64 random(42);
  for (int trial = 0; trial < 300; ++trial) {
    Vocabulary v = byte_vocabulary();
    v.add_bos = false;
    Lists lists;
    for (std::size_t i = 0; i < v.tokens.size(); ++i) lists.ids.emplace(v.tokens[i], static_cast<std::int32_t>(i));
    for (int i = 0; i < 40; ++i) {
      const std::string text = test::random_text(random, alphabet, 5);
      if (text.empty() || lists.ids.contains(text)) continue;
      lists.ids.emplace(text, static_cast<std::int32_t>(v.tokens.size()));
      test::add_token(v, text, TokenType::normal, static_cast<float>(test::below(random, 12)) - 6);
    }
    lists.scores = v.scores;
    v.add_space_prefix = trial % 2 == 0;
    const Tokenizer tokenizer = Tokenizer::from_vocabulary(v);
    for (int i = 0; i < 40; ++i) {
      const std::string text = test::random_text(random, text_parts, 24);
      std::string visible = v.add_space_prefix.value() && !text.empty() ? "\u2581" : "";
      for (char c : text) visible += c == ' ' ? std::string("\u2581") : std::string(1, c);
      ASSERT_EQ(tokenizer.encode(text), naive_spm(lists, visible)) << nlohmann::json(text);
    }
  }
}

TEST(Reference, BpeOnRandomMerges) {
  const std::vector<std::string> letters = {"a", "b", "c", "d", "e"};
  std::mt19937_64 random(43);
  for (int trial = 0; trial < 300; ++trial) {
    Vocabulary v;
    v.model = "gpt2";
    v.pre = "gpt-2";
    Lists lists;
    const auto add = [&](const std::string& text) {
      if (!lists.ids.emplace(text, static_cast<std::int32_t>(v.tokens.size())).second) return;
      v.tokens.push_back(text);
    };
    // The letter e is missing from the vocabulary, and so are some results of merges.
    for (std::size_t i = 0; i + 1 < letters.size(); ++i) add(letters[i]);
    std::vector<std::string> pieces = letters;
    std::set<std::pair<std::string, std::string>> pairs;
    for (int i = 0; i < 30; ++i) {
      const std::string left = pieces[test::below(random, pieces.size())],
                        right = pieces[test::below(random, pieces.size())];
      v.merges.push_back(left + " " + right);
      lists.merges.emplace_back(left, right);
      pieces.push_back(left + right);
      if (test::below(random, 4) > 0) add(left + right);
    }
    const Tokenizer tokenizer = Tokenizer::from_vocabulary(v);
    for (int i = 0; i < 40; ++i) {
      const std::string text = test::random_text(random, letters, 30);
      ASSERT_EQ(tokenizer.encode(text), naive_bpe(lists, text)) << text;
    }
  }
}

/// Cuts the text at the longest tokens first, wherever they stand.
TEST(Reference, SpecialTokensOnRandomTexts) {
  std::mt19937_64 random(44);
  const std::vector<std::string> letters = {"x", "y"};
  for (int trial = 0; trial < 300; ++trial) {
    Vocabulary v = byte_vocabulary();
    v.add_bos = false;
    std::vector<std::pair<std::string, std::int32_t>> special;
    for (int i = 0; i < 5; ++i) {
      const std::string text = test::random_text(random, letters, 5);
      const bool seen = std::ranges::any_of(special, [&](const auto& s) { return s.first == text; });
      if (text.empty() || seen) continue;
      special.emplace_back(text, static_cast<std::int32_t>(v.tokens.size()));
      test::add_token(v, text, i % 2 == 0 ? TokenType::control : TokenType::user_defined);
    }
    const Tokenizer tokenizer = Tokenizer::from_vocabulary(v);
    for (int i = 0; i < 40; ++i) {
      const std::string text = test::random_text(random, letters, 20);
      const bool parse = i % 2 == 0;
      std::vector<std::int32_t> owner(text.size(), -1);  // the token at each byte; -2 inside of one
      for (std::size_t length = text.size(); length > 0; --length) {
        for (std::size_t at = 0; at + length <= text.size(); ++at) {
          for (const auto& [spelling, id] : special) {
            const bool cut = parse || tokenizer.type(id) == TokenType::user_defined;
            if (!cut || text.compare(at, length, spelling) != 0) continue;
            if (std::any_of(owner.begin() + at, owner.begin() + at + length, [](int o) { return o != -1; })) continue;
            std::fill(owner.begin() + at, owner.begin() + at + length, -2);
            owner[at] = id;
          }
        }
      }
      Ids expected;
      for (std::size_t at = 0; at < text.size(); ++at) {
        if (owner[at] >= 0) expected.push_back(owner[at]);
        if (owner[at] == -1) expected.push_back(tokenizer.find(std::string(1, text[at])).value_or(3 + text[at]));
      }
      // A special token of one letter is also what the merging of plain text would give; so is one of several.
      const Ids ids = tokenizer.encode(text, {.parse_special = parse});
      if (parse) {
        ASSERT_EQ(ids, expected) << text;
      }
      ASSERT_EQ(tokenizer.decode(ids, {.special = true}), text);
    }
  }
}

}  // namespace
}  // namespace toy

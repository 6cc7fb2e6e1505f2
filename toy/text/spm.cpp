#include "toy/text/spm.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <utility>

#include "toy/text/bytes.h"
#include "toy/text/word_cache.h"

namespace toy {

namespace {

/// A stretch of the word in its linked list; -1 ends the list. Length 0: joined to its left neighbour.
struct Symbol {
  std::int32_t begin, length, previous, next;
};

/// A pair that could be joined into a token of this score and length.
struct Candidate {
  float score;
  std::int32_t left, right, length;

  /// The order of the queue: the highest score on top, the leftmost among equals.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score < b.score : a.left > b.left;
  }
};

std::vector<Symbol> characters(std::string_view word) {
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (std::size_t at = 0; at < word.size();) {
    const Utf8Head head = utf8_head(word.substr(at));
    const std::size_t length = head.kind == Utf8Head::valid ? head.length : 1;
    const auto index = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({static_cast<std::int32_t>(at), static_cast<std::int32_t>(length), index - 1, index + 1});
    at += length;
  }
  if (!symbols.empty()) symbols.back().next = -1;
  return symbols;
}

/// A text whose spaces are visible, a part at a time.
class VisibleText {
 public:
  VisibleText(std::string_view text, bool with_prefix) : to_come_(text) {
    if (with_prefix) part_ = visible_space;
  }
  /// What is there and not used; at the end of the text, all that is left.
  std::string_view rest() const { return std::string_view(part_).substr(used_); }
  bool is_all() const { return to_come_.empty(); }
  void use(std::size_t bytes) { used_ += bytes; }
  /// Adds to the rest as much as it has, and at least a block.
  void extend() {
    constexpr std::size_t block = 1 << 16;
    part_.erase(0, std::exchange(used_, 0));
    const std::string_view next = to_come_.substr(0, std::max(block, part_.size()));
    to_come_.remove_prefix(next.size());
    for (const char c : next) {
      if (c == ' ') {
        part_ += visible_space;
      } else {
        part_ += c;
      }
    }
  }

 private:
  std::string_view to_come_;
  std::string part_;
  std::size_t used_ = 0;
};

/// What stands on both sides of a place: the byte before it, and the byte behind it, or for U+2581 one that is in no
/// UTF-8.
std::size_t boundary(std::string_view text, std::size_t at) {
  constexpr std::size_t space = 0xC0;
  const std::size_t before = static_cast<std::uint8_t>(text[at - 1]);
  const std::size_t behind = static_cast<std::uint8_t>(text[at]);
  return before << 8 | (behind == 0xE2 && text.substr(at).starts_with(visible_space) ? space : behind);
}

}  // namespace

SpmEncoder::SpmEncoder(const Vocabulary& vocabulary, std::shared_ptr<const PieceTable> pieces,
                       std::vector<std::string>& notes)
    : pieces_(std::move(pieces)),
      scores_(vocabulary.scores),
      add_space_prefix_(vocabulary.add_space_prefix.value_or(true)) {
  scores_.resize(static_cast<std::size_t>(pieces_->tokens()));
  unused_.resize(static_cast<std::size_t>(pieces_->tokens()));
  for (std::int32_t id = 0; id < pieces_->tokens(); ++id) {
    if (!pieces_->is_plain_token(id)) continue;
    const auto at = static_cast<std::size_t>(id);
    unused_[at] = at < vocabulary.types.size() && vocabulary.types[at] == TokenType::unused;
    const std::string_view token = (*pieces_)[id];
    longest_token_ = std::max(longest_token_, token.size());
    for (std::size_t at = 1; at < token.size(); ++at) joins_[boundary(token, at)] = true;
  }

  int missing = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const char raw = static_cast<char>(byte);
    auto token = pieces_->find(fmt::format("<0x{:02X}>", byte));
    if (!token) token = pieces_->find_plain({&raw, 1});
    if (!token) token = vocabulary.unk;
    missing += !token.has_value();
    byte_tokens_[byte] = token.value_or(-1);
  }
  if (missing > 0) {
    notes.push_back(fmt::format(
        "the vocabulary has no token for {} of the 256 bytes and none for unknown text: they are dropped from texts",
        missing));
  }
}

void SpmEncoder::encode(std::string_view text, std::vector<std::int32_t>& ids,
                        const std::function<void()>& between) const {
  VisibleText visible(text, add_space_prefix_);
  WordCache cache;
  while (!visible.rest().empty() || !visible.is_all()) {
    const std::string_view rest = visible.rest(), word = rest.substr(0, word_length(rest));
    // Whether a word ends depends on the character behind it.
    if (word.size() + visible_space.size() > rest.size() && !visible.is_all()) {
      visible.extend();
      continue;
    }
    cache.append(word, ids, [this](std::string_view w, std::vector<std::int32_t>& out) { encode_word(w, out); });
    visible.use(word.size());
    between();
  }
}

/// The model has no words, but where no token continues a character with the next, nothing can be joined across: both
/// sides are independent. Words end before spaces where possible, long ones anywhere.
std::size_t SpmEncoder::word_length(std::string_view text) const {
  constexpr std::size_t long_word = 256;
  for (std::size_t at = 1; at < text.size(); ++at) {
    const auto byte = static_cast<std::uint8_t>(text[at]);
    if (byte != 0xE2 && at < long_word) continue;
    if (continues_character(text[at]) || (at < long_word && !text.substr(at).starts_with(visible_space))) continue;
    if (!joins_[boundary(text, at)]) return at;
  }
  return text.size();
}

void SpmEncoder::encode_word(std::string_view word, std::vector<std::int32_t>& ids) const {
  std::vector<Symbol> symbols = characters(word);
  std::priority_queue<Candidate> candidates;
  Splits splits;
  const auto consider = [&](std::int32_t left, std::int32_t right) {
    if (left < 0 || right < 0) return;
    const std::int32_t length = symbols[left].length + symbols[right].length;
    if (static_cast<std::size_t>(length) > longest_token_) return;
    const auto token = pieces_->find_plain(word.substr(symbols[left].begin, length));
    if (!token) return;
    candidates.push({scores_[*token], left, right, length});
    if (unused_[*token]) splits.try_emplace(*token, symbols[left].length);
  };
  for (std::int32_t i = 0; i + 1 < static_cast<std::int32_t>(symbols.size()); ++i) consider(i, i + 1);

  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[best.left];
    Symbol& right = symbols[best.right];
    // Stale when one of the two has been joined with another neighbour since.
    if (left.length == 0 || right.length == 0 || left.length + right.length != best.length) continue;
    left.length = best.length;
    left.next = right.next;
    if (right.next >= 0) symbols[right.next].previous = best.left;
    right.length = 0;
    consider(left.previous, best.left);
    consider(best.left, left.next);
  }
  for (std::int32_t i = 0; i >= 0; i = symbols[i].next) {
    append_text(word.substr(symbols[i].begin, symbols[i].length), splits, ids);
  }
}

void SpmEncoder::append_text(std::string_view text, const Splits& splits, std::vector<std::int32_t>& ids) const {
  std::vector<std::string_view> parts{text};  // the leftmost last
  while (!parts.empty()) {
    text = parts.back();
    parts.pop_back();
    if (const auto token = pieces_->find_plain(text)) {
      if (!unused_[*token]) {
        ids.push_back(*token);
        continue;
      }
      if (const auto split = splits.find(*token); split != splits.end()) {
        parts.push_back(text.substr(split->second));
        parts.push_back(text.substr(0, split->second));
        continue;
      }
    }
    if (text == visible_space) text = " ";
    for (char c : text) {
      const std::int32_t token = byte_tokens_[static_cast<std::uint8_t>(c)];
      if (token >= 0) ids.push_back(token);
    }
  }
}

}  // namespace toy

#include "toy/text/bpe.h"

#include <fmt/format.h>

#include <functional>
#include <queue>
#include <utility>

#include "toy/io/plural.h"
#include "toy/text/bytes.h"
#include "toy/text/word_cache.h"

namespace toy {

namespace {

/// A piece in the linked list of a word; -1 ends the list. A piece of -1 has been merged into its left neighbour.
struct Symbol {
  std::int32_t piece, previous, next;
};

/// The merges that may apply, best first. An entry is (rank << 32 | index of the left symbol), so that the smallest
/// number is the lowest rank, leftmost.
using Candidates = std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>>;

std::string spell(std::uint8_t byte) {
  std::string text;
  append_utf8(text, byte_to_unicode(byte));
  return text;
}

/// As pieces.intern. Tokens are numbered in the order in which training merged them, so the piece is mostly `last` or
/// the next: looking there first saves a search in a table larger than the caches.
std::int32_t intern_near(std::int32_t last, std::string_view text, PieceTable& pieces) {
  if (pieces.unique()) {
    if (pieces[last] == text) return last;
    if (last + 1 < pieces.size() && pieces[last + 1] == text) return last + 1;
  }
  return pieces.intern(text);
}

MergeTable read_merges(const StringTable& entries, PieceTable& pieces, std::vector<std::string>& notes) {
  std::vector<Merge> merges;
  merges.reserve(entries.size());
  std::size_t malformed = 0, special = 0;
  const std::int32_t known = pieces.size();
  std::string merged;
  std::int32_t last = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    // A space in first place is part of the left piece.
    const std::string_view entry = entries[i];
    const std::size_t space = entry.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == entry.size()) {
      ++malformed;
      continue;
    }
    const std::string_view left = entry.substr(0, space), right = entry.substr(space + 1);
    merged.assign(left).append(right);
    last = intern_near(last, merged, pieces);
    if (pieces.is_token(last) && !pieces.is_plain_token(last)) {
      ++special;
      continue;
    }
    merges.push_back({pieces.intern(left), pieces.intern(right), last});
  }

  const auto note = [&notes](std::size_t count, std::string_view one, std::string_view many) {
    if (count > 0) notes.push_back(fmt::format("tokenizer.ggml.merges: {} {}", count, plural(count, one, many)));
  };
  MergeTable table(std::move(merges));
  note(malformed, "entry is not two pieces with a space between: ignored",
       "entries are not two pieces with a space between: ignored");
  note(special, "entry makes a special token, which no text becomes: ignored",
       "entries make special tokens, which no text becomes: ignored");
  note(table.repeated(), "entry repeats an earlier pair: ignored", "entries repeat an earlier pair: ignored");
  note(static_cast<std::size_t>(pieces.size() - known), "piece named is no token", "pieces named are not tokens");
  if (entries.empty()) notes.push_back("tokenizer.ggml.merges is missing or empty: text becomes single bytes");
  return table;
}

}  // namespace

BpeEncoder::BpeEncoder(const Vocabulary& vocabulary, const std::shared_ptr<PieceTable>& pieces,
                       PreTokenizer pre_tokenizer, std::vector<std::string>& notes)
    : pieces_(pieces),
      pre_tokenizer_(std::move(pre_tokenizer)),
      merges_(read_merges(vocabulary.merges, *pieces, notes)) {
  int missing = 0;
  for (int byte = 0; byte < 256; ++byte) {
    byte_pieces_[byte] = pieces->intern(spell(static_cast<std::uint8_t>(byte)));
    const bool occurs_in_utf8 = byte < 0xC0 || (byte > 0xC1 && byte < 0xF5);
    missing += occurs_in_utf8 && !pieces->is_plain_token(byte_pieces_[byte]);
  }
  if (missing > 0) {
    notes.push_back(
        fmt::format("the vocabulary has no token for {} of the 256 bytes: they are dropped from texts", missing));
  }
}

void BpeEncoder::encode(std::string_view text, std::vector<std::int32_t>& ids,
                        const std::function<void()>& between) const {
  constexpr std::size_t at_once = 1 << 16;  // bytes: words take several times the memory of their text
  WordCache cache;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, PreTokenizer::word_break(text, at_once));
    const std::string valid = replace_invalid_utf8(part);
    for (std::string_view word : pre_tokenizer_.split(valid)) {
      cache.append(word, ids, [this](std::string_view w, std::vector<std::int32_t>& out) { encode_word(w, out); });
      between();
    }
    text.remove_prefix(part.size());
  }
}

void BpeEncoder::encode_word(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (pre_tokenizer_.ignore_merges()) {
    std::string spelled;
    for (char byte : word) append_utf8(spelled, byte_to_unicode(static_cast<std::uint8_t>(byte)));
    if (const auto token = pieces_->find_plain(spelled)) return ids.push_back(*token);
  }

  const auto count = static_cast<std::int32_t>(word.size());
  std::vector<Symbol> symbols(word.size());
  std::vector<std::uint64_t> pairs;
  pairs.reserve(word.size());
  for (std::int32_t i = 0; i < count; ++i) {
    symbols[i] = {byte_pieces_[static_cast<std::uint8_t>(word[i])], i - 1, i + 1 < count ? i + 1 : -1};
  }
  for (std::int32_t i = 0; i + 1 < count; ++i) {
    if (const auto rank = merges_.rank(symbols[i].piece, symbols[i + 1].piece)) {
      pairs.push_back(std::uint64_t(*rank) << 32 | std::uint32_t(i));
    }
  }

  Candidates candidates(std::greater<>{}, std::move(pairs));
  const auto consider = [&](std::int32_t left) {
    if (left < 0 || symbols[left].next < 0) return;
    const auto rank = merges_.rank(symbols[left].piece, symbols[symbols[left].next].piece);
    if (rank) candidates.push(std::uint64_t(*rank) << 32 | std::uint32_t(left));
  };
  while (!candidates.empty()) {
    const Merge& merge = merges_[static_cast<std::uint32_t>(candidates.top() >> 32)];
    const auto at = static_cast<std::int32_t>(candidates.top() & UINT32_MAX);
    candidates.pop();
    Symbol& left = symbols[at];
    if (left.piece != merge.left || left.next < 0 || symbols[left.next].piece != merge.right) continue;
    Symbol& right = symbols[left.next];
    left.piece = merge.merged;
    left.next = right.next;
    if (right.next >= 0) symbols[right.next].previous = at;
    right.piece = -1;
    consider(left.previous);
    consider(at);
  }
  for (std::int32_t i = 0; i >= 0 && i < count; i = symbols[i].next) append_piece(symbols[i].piece, ids);
}

void BpeEncoder::append_piece(std::int32_t piece, std::vector<std::int32_t>& ids) const {
  if (pieces_->is_plain_token(piece)) return ids.push_back(piece);
  std::string_view text = (*pieces_)[piece];
  while (!text.empty()) {
    const std::size_t length = utf8_head(text).length;
    if (const auto token = pieces_->find_plain(text.substr(0, length))) ids.push_back(*token);
    text.remove_prefix(length);
  }
}

}  // namespace toy

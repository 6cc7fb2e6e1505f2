#include "toy/text/bpe.h"

#include <fmt/format.h>

#include <functional>
#include <queue>
#include <utility>

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

MergeTable read_merges(const StringTable& merges, PieceTable& pieces, std::vector<std::string>& notes) {
  MergeTable table(merges.size());
  std::size_t malformed = 0, repeated = 0;
  const std::int32_t known = pieces.size();
  std::string merged;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    // The space between the two parts; a part may be a space character of its own only in first place.
    const std::string_view text = merges[rank];
    const std::size_t space = text.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == text.size()) {
      ++malformed;
      continue;
    }
    const std::string_view left = text.substr(0, space), right = text.substr(space + 1);
    merged.assign(left).append(right);
    repeated += !table.add({pieces.intern(left), pieces.intern(right), pieces.intern(merged)});
  }
  if (merges.empty()) notes.push_back("tokenizer.ggml.merges is missing or empty: text becomes single bytes");
  if (malformed > 0)
    notes.push_back(fmt::format(
        "tokenizer.ggml.merges: ignored {} entries that are not two pieces separated by a space", malformed));
  if (repeated > 0) notes.push_back(fmt::format("tokenizer.ggml.merges: ignored {} repeated pairs", repeated));
  if (pieces.size() > known)
    notes.push_back(fmt::format("tokenizer.ggml.merges: {} of the pieces named are not tokens", pieces.size() - known));
  return table;
}

}  // namespace

BpeEncoder::BpeEncoder(const Vocabulary& vocabulary, std::shared_ptr<PieceTable> pieces, PreTokenizer pre_tokenizer,
                       std::vector<std::string>& notes)
    : pieces_(pieces),
      pre_tokenizer_(std::move(pre_tokenizer)),
      merges_(read_merges(vocabulary.merges, *pieces, notes)) {
  int missing = 0;
  for (int byte = 0; byte < 256; ++byte) {
    byte_pieces_[byte] = pieces->intern(spell(static_cast<std::uint8_t>(byte)));
    const bool occurs_in_utf8 = byte < 0xC0 || (byte > 0xC1 && byte < 0xF5);
    missing += occurs_in_utf8 && !pieces->is_token(byte_pieces_[byte]);
  }
  if (missing > 0) {
    notes.push_back(
        fmt::format("the vocabulary has no token for {} of the 256 bytes: they are dropped from texts", missing));
  }
}

void BpeEncoder::encode(std::string_view text, bool, std::vector<std::int32_t>& ids) const {
  const std::string valid = replace_invalid_utf8(text);
  WordCache cache;
  for (std::string_view word : pre_tokenizer_.split(valid)) {
    cache.append(word, ids, [this](std::string_view w, std::vector<std::int32_t>& out) { encode_word(w, out); });
  }
}

void BpeEncoder::encode_word(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (pre_tokenizer_.ignore_merges()) {
    std::string spelled;
    for (char byte : word) append_utf8(spelled, byte_to_unicode(static_cast<std::uint8_t>(byte)));
    if (const auto token = pieces_->find_token(spelled)) return ids.push_back(*token);
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
  if (pieces_->is_token(piece)) return ids.push_back(piece);
  std::string_view text = (*pieces_)[piece];
  while (!text.empty()) {
    const std::size_t length = utf8_head(text).length;
    if (const auto token = pieces_->find_token(text.substr(0, length))) ids.push_back(*token);
    text.remove_prefix(length);
  }
}

}  // namespace toy

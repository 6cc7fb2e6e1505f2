#include "toy/text/piece_table.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace toy {

PieceTable::PieceTable(StringTable tokens, const std::vector<TokenType>& types)
    : texts_(std::move(tokens)), plain_(texts_.size(), true) {
  tokens_ = static_cast<std::int32_t>(texts_.size());
  for (std::size_t id = 0; id < std::min(types.size(), plain_.size()); ++id) plain_[id] = is_plain(types[id]);
  rehash(std::bit_ceil(2 * texts_.size() + 16));
  std::vector<std::uint32_t> hashes(texts_.size());
  for (std::size_t id = 0; id < hashes.size(); ++id) hashes[id] = hash(texts_[id]);
  constexpr std::size_t ahead = 16;
  for (std::size_t id = 0; id < hashes.size(); ++id) {
    // The slots lie all over a table larger than the caches: fetch them early.
    if (id + ahead < hashes.size()) __builtin_prefetch(&slots_[hashes[id + ahead] & (slots_.size() - 1)]);
    if (plain_[id]) duplicates_ += !index(static_cast<std::int32_t>(id), hashes[id]);
  }
  unique_ = duplicates_ == 0;
  for (std::size_t id = 0; id < hashes.size(); ++id) {
    if (plain_[id] || index(static_cast<std::int32_t>(id), hashes[id])) continue;
    unique_ = false;
    duplicates_ += !is_plain_token(*find(texts_[id]));
  }
}

std::int32_t PieceTable::intern(std::string_view text) {
  if (const auto piece = find(text)) return *piece;
  texts_.push_back(text);
  index(size() - 1, hash(text));
  return size() - 1;
}

std::uint32_t PieceTable::hash(std::string_view text) {
  const std::uint64_t h = std::hash<std::string_view>{}(text);
  return static_cast<std::uint32_t>(h ^ (h >> 32));
}

std::size_t PieceTable::locate(std::string_view text, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].piece >= 0 && (slots_[at].hash != hash || (*this)[slots_[at].piece] != text)) at = (at + 1) & mask;
  return at;
}

bool PieceTable::index(std::int32_t piece, std::uint32_t h) {
  if (2 * (used_ + 1) > slots_.size()) rehash(2 * slots_.size());
  Slot& slot = slots_[locate((*this)[piece], h)];
  if (slot.piece >= 0) return false;
  slot = {h, piece};
  ++used_;
  return true;
}

void PieceTable::rehash(std::size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  const std::size_t mask = slots - 1;
  for (const Slot& slot : old) {
    if (slot.piece < 0) continue;
    std::size_t at = slot.hash & mask;
    while (slots_[at].piece >= 0) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

}  // namespace toy

#include "toy/text/merge_table.h"

#include <bit>

namespace toy {

MergeTable::MergeTable(std::size_t expected) {
  merges_.reserve(expected);
  rehash(std::bit_ceil(2 * expected + 16));
}

bool MergeTable::add(const Merge& merge) {
  if (2 * (merges_.size() + 1) > slots_.size()) rehash(2 * slots_.size());
  std::uint32_t& slot = slots_[locate(merge.left, merge.right)];
  if (slot != empty) return false;
  slot = static_cast<std::uint32_t>(merges_.size());
  merges_.push_back(merge);
  return true;
}

std::size_t MergeTable::locate(std::int32_t left, std::int32_t right) const {
  // Multiplying by 2^64 / golden ratio spreads the pair over the high bits.
  const std::uint64_t pair = std::uint64_t(std::uint32_t(left)) << 32 | std::uint32_t(right);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = ((pair * 0x9E3779B97F4A7C15u) >> 32) & mask;
  while (slots_[at] != empty && (merges_[slots_[at]].left != left || merges_[slots_[at]].right != right)) {
    at = (at + 1) & mask;
  }
  return at;
}

void MergeTable::rehash(std::size_t slots) {
  slots_.assign(slots, empty);
  for (std::uint32_t rank = 0; rank < merges_.size(); ++rank) {
    slots_[locate(merges_[rank].left, merges_[rank].right)] = rank;
  }
}

}  // namespace toy

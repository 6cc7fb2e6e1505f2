#include "toy/text/merge_table.h"

#include <bit>
#include <utility>

namespace toy {

MergeTable::MergeTable(std::vector<Merge> merges)
    : merges_(std::move(merges)), slots_(std::bit_ceil(2 * merges_.size() + 1), empty) {
  constexpr std::size_t ahead = 16;
  for (std::uint32_t rank = 0; rank < merges_.size(); ++rank) {
    // The slots lie all over a table larger than the caches: fetch them early.
    if (rank + ahead < merges_.size()) {
      __builtin_prefetch(&slots_[home(merges_[rank + ahead].left, merges_[rank + ahead].right)]);
    }
    std::uint32_t& slot = slots_[locate(merges_[rank].left, merges_[rank].right)];
    repeated_ += slot != empty;
    if (slot == empty) slot = rank;
  }
}

std::size_t MergeTable::home(std::int32_t left, std::int32_t right) const {
  // Multiplying by 2^64 / golden ratio spreads the pair over the high bits.
  const std::uint64_t pair = std::uint64_t(std::uint32_t(left)) << 32 | std::uint32_t(right);
  return ((pair * 0x9E3779B97F4A7C15u) >> 32) & (slots_.size() - 1);
}

std::size_t MergeTable::locate(std::int32_t left, std::int32_t right) const {
  std::size_t at = home(left, right);
  while (slots_[at] != empty && (merges_[slots_[at]].left != left || merges_[slots_[at]].right != right)) {
    at = (at + 1) & (slots_.size() - 1);
  }
  return at;
}

}  // namespace toy

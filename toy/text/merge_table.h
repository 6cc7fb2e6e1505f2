// The ranked merges of byte-level BPE.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace toy {

/// left + right -> merged, all piece numbers.
struct Merge {
  std::int32_t left, right, merged;
};

/// Merges by rank, found by their pair (open addressing).
class MergeTable {
 public:
  /// The rank is the position; a pair that stands twice has the lower one.
  explicit MergeTable(std::vector<Merge> merges);

  std::optional<std::uint32_t> rank(std::int32_t left, std::int32_t right) const {
    const std::uint32_t slot = slots_[locate(left, right)];
    if (slot == empty) return std::nullopt;
    return slot;
  }
  const Merge& operator[](std::uint32_t rank) const { return merges_[rank]; }
  /// How many merges repeat the pair of an earlier one.
  std::size_t repeated() const { return repeated_; }

 private:
  static constexpr std::uint32_t empty = UINT32_MAX;

  std::size_t home(std::int32_t left, std::int32_t right) const;
  std::size_t locate(std::int32_t left, std::int32_t right) const;

  std::vector<Merge> merges_;
  std::vector<std::uint32_t> slots_;  // a power of two of them, at most half in use
  std::size_t repeated_ = 0;
};

}  // namespace toy

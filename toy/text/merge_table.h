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
  explicit MergeTable(std::size_t expected = 0);

  /// Gives the merge the next rank; false if its pair has a lower one already, which is kept.
  bool add(const Merge& merge);

  std::optional<std::uint32_t> rank(std::int32_t left, std::int32_t right) const {
    const std::uint32_t slot = slots_[locate(left, right)];
    if (slot == empty) return std::nullopt;
    return slot;
  }
  const Merge& operator[](std::uint32_t rank) const { return merges_[rank]; }
  std::size_t size() const { return merges_.size(); }

 private:
  static constexpr std::uint32_t empty = UINT32_MAX;

  std::size_t locate(std::int32_t left, std::int32_t right) const;
  void rehash(std::size_t slots);

  std::vector<Merge> merges_;
  std::vector<std::uint32_t> slots_;
};

}  // namespace toy

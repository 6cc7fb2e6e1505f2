// Pairs of neighbouring symbols.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

namespace toy {

/// A growing hash table (open addressing) of pairs of positive symbols, 16 bytes for each slot.
class PairTable {
 public:
  struct Pair {
    std::int32_t left = 0, right = 0;  // 0: free
    std::int32_t candidate = -1;       // of the user: its number in a list, if it is there
    std::uint32_t count = 0;           // of the user: places in the corpus
  };

  /// With room for so many pairs, at least.
  explicit PairTable(std::size_t pairs = 0, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : slots_(slots_for(pairs), memory) {}

  /// How many pairs fit into so many bytes.
  static std::size_t room(std::size_t bytes) { return room_of(std::max(fewest, std::bit_floor(bytes / sizeof(Pair)))); }
  /// Of a table with room for so many pairs.
  static std::size_t bytes(std::size_t pairs) { return sizeof(Pair) * slots_for(pairs); }
  static constexpr std::uint64_t most_parts = 1 << 16;
  /// To which of some parts, a power of two, a pair belongs by its hash.
  static std::uint64_t part(std::int32_t left, std::int32_t right, std::uint64_t parts) {
    return hash(left, right) >> 48 & (parts - 1);
  }

  /// Null if there is none. Valid until the next add.
  Pair* find(std::int32_t left, std::int32_t right) {
    Pair& slot = slots_[locate(left, right)];
    return slot.left != 0 ? &slot : nullptr;
  }

  Pair& find_or_add(std::int32_t left, std::int32_t right) {
    std::size_t at = locate(left, right);
    if (slots_[at].left == 0) {
      if (used_ == room_of(slots_.size())) {
        grow();
        at = locate(left, right);
      }
      ++used_;
      slots_[at].left = left;
      slots_[at].right = right;
    }
    return slots_[at];
  }

  std::size_t size() const { return used_; }
  void clear() {
    std::ranges::fill(slots_, Pair{});
    used_ = 0;
  }
  /// f(pair) for each, in no order.
  template <class F>
  void each(F&& f) {
    for (Pair& slot : slots_) {
      if (slot.left != 0) f(slot);
    }
  }

 private:
  static constexpr std::size_t fewest = 256;  // slots

  static std::size_t room_of(std::size_t slots) { return slots / 8 * 5; }
  static std::size_t slots_for(std::size_t pairs) {
    std::size_t slots = fewest;
    while (room_of(slots) < pairs) slots *= 2;
    return slots;
  }
  static std::uint64_t hash(std::int32_t left, std::int32_t right) {
    const std::uint64_t key = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
    return key * 0x9E3779B97F4A7C15;
  }
  std::size_t locate(std::int32_t left, std::int32_t right) const {
    const std::size_t mask = slots_.size() - 1;
    const std::uint64_t mixed = hash(left, right);
    std::size_t at = (mixed ^ mixed >> 32) & mask;
    while (slots_[at].left != 0 && (slots_[at].left != left || slots_[at].right != right)) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    std::pmr::vector<Pair> old(2 * slots_.size(), slots_.get_allocator());
    old.swap(slots_);
    for (const Pair& slot : old) {
      if (slot.left != 0) slots_[locate(slot.left, slot.right)] = slot;
    }
  }

  std::pmr::vector<Pair> slots_;  // a power of two of them
  std::size_t used_ = 0;
};

}  // namespace toy

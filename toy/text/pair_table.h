// Pairs of neighbouring symbols.
#pragma once

#include <cstddef>
#include <cstdint>
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

  PairTable() : slots_(1024) {}

  /// Null if there is none. Valid until the next add.
  Pair* find(std::int32_t left, std::int32_t right) {
    Pair& slot = slots_[locate(left, right)];
    return slot.left != 0 ? &slot : nullptr;
  }

  Pair& find_or_add(std::int32_t left, std::int32_t right) {
    std::size_t at = locate(left, right);
    if (slots_[at].left == 0) {
      if (used_ == room()) {
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
  /// Pairs that it holds before it takes more memory.
  std::size_t room() const { return slots_.size() / 8 * 5; }
  /// Makes sure of room for a quarter more.
  void make_room() {
    if (2 * used_ > slots_.size()) grow();
  }

  /// f(pair) for each, in no order.
  template <class F>
  void each(F&& f) {
    for (Pair& slot : slots_) {
      if (slot.left != 0) f(slot);
    }
  }

 private:
  std::size_t locate(std::int32_t left, std::int32_t right) const {
    const std::size_t mask = slots_.size() - 1;
    const std::uint64_t key = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
    const std::uint64_t hash = key * 0x9E3779B97F4A7C15;
    std::size_t at = (hash ^ hash >> 32) & mask;
    while (slots_[at].left != 0 && (slots_[at].left != left || slots_[at].right != right)) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    std::vector<Pair> old(2 * slots_.size());
    old.swap(slots_);
    for (const Pair& slot : old) {
      if (slot.left != 0) slots_[locate(slot.left, slot.right)] = slot;
    }
  }

  std::vector<Pair> slots_;  // a power of two of them
  std::size_t used_ = 0;
};

}  // namespace toy

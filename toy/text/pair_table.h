// From a pair of symbols to a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace toy {

/// A growing hash table (open addressing) from two positive symbols to the number of what they spell together.
class PairTable {
 public:
  PairTable() : slots_(1024) {}

  /// The number of the pair; a new one gets it from make().
  template <class Make>
  std::int32_t find_or_add(std::int32_t left, std::int32_t right, Make&& make) {
    const std::uint64_t key = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
    const std::size_t at = locate(key);
    if (slots_[at].key == key) return slots_[at].number;
    const std::int32_t number = make();
    slots_[at] = {key, number};
    if (2 * ++used_ > slots_.size()) grow();
    return number;
  }

 private:
  struct Slot {
    std::uint64_t key = 0;  // 0: free
    std::int32_t number = 0;
  };

  std::size_t locate(std::uint64_t key) const {
    const std::size_t mask = slots_.size() - 1;
    std::uint64_t hash = key * 0x9E3779B97F4A7C15;
    std::size_t at = (hash ^ hash >> 32) & mask;
    while (slots_[at].key != 0 && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.key != 0) slots_[locate(slot.key)] = slot;
    }
  }

  std::vector<Slot> slots_;  // a power of two of them, at most half in use
  std::size_t used_ = 0;
};

}  // namespace toy

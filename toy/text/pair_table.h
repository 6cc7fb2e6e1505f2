// Pairs of neighbouring symbols.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <utility>
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
  static std::size_t room(std::size_t bytes) { return room_of(std::max(fewest, bytes / sizeof(Pair))); }
  /// The same for a table that grows from nothing, where its smaller sizes stay taken.
  static std::size_t growing_room(std::size_t bytes) {
    return room_of(std::max(fewest, std::bit_floor(bytes / 2 / sizeof(Pair))));
  }
  /// Of a table with room for so many pairs.
  static std::size_t bytes(std::size_t pairs) { return sizeof(Pair) * slots_for(pairs); }
  /// To which of some parts (fewer than 2^32) a pair belongs. Another hash than that of the slots: a part would lie in
  /// few places of a table.
  static std::uint64_t part(std::int32_t left, std::int32_t right, std::uint64_t parts) {
    const std::uint64_t mixed = hash(left, right);
    return ((mixed ^ mixed >> 32) * 0xBF58476D1CE4E5B9 >> 32) * parts >> 32;
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
  static constexpr std::size_t fewest = 256;  // slots, a power of two

  static std::size_t room_of(std::size_t slots) { return slots / 8 * 5; }
  static std::size_t slots_for(std::size_t pairs) { return std::max(fewest, (8 * pairs + 39) / 40 * 8); }
  static std::uint64_t hash(std::int32_t left, std::int32_t right) {
    const std::uint64_t key = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
    return key * 0x9E3779B97F4A7C15;
  }
  std::size_t locate(std::int32_t left, std::int32_t right) const {
    std::size_t at = (hash(left, right) >> 32) * slots_.size() >> 32;
    while (slots_[at].left != 0 && (slots_[at].left != left || slots_[at].right != right)) {
      if (++at == slots_.size()) at = 0;
    }
    return at;
  }
  void grow() {
    std::pmr::vector<Pair> old(2 * slots_.size(), slots_.get_allocator());
    old.swap(slots_);
    for (const Pair& slot : old) {
      if (slot.left != 0) slots_[locate(slot.left, slot.right)] = slot;
    }
  }

  std::pmr::vector<Pair> slots_;
  std::size_t used_ = 0;
};

/// Pairs of one symbol with others, found by the other one: 16 bytes for each symbol there is.
class PairsOfOne {
 public:
  struct Pair {
    std::uint32_t count = 0;
    std::int32_t candidate = unseen;
  };
  static constexpr std::int32_t none = -1;  // seen, and no candidate

  /// Forgets all pairs; the next are those of `symbol`, the last there is.
  void begin(std::int32_t symbol) {
    for (const auto& [left, right] : seen_) find(left, right) = {};
    seen_.clear();
    symbol_ = symbol;
    before_.resize(static_cast<std::size_t>(symbol) + 1);
    after_.resize(before_.size());
  }
  bool has(std::int32_t left, std::int32_t right) const { return left == symbol_ || right == symbol_; }
  /// One of the two is the symbol.
  Pair& find_or_add(std::int32_t left, std::int32_t right) {
    Pair& pair = find(left, right);
    if (pair.candidate == unseen) {
      pair.candidate = none;
      seen_.emplace_back(left, right);
    }
    return pair;
  }
  /// f(left, right, pair) for each, in the order in which they came.
  template <class F>
  void each(F&& f) {
    for (const auto& [left, right] : seen_) f(left, right, find(left, right));
  }

 private:
  static constexpr std::int32_t unseen = -2;

  Pair& find(std::int32_t left, std::int32_t right) {
    return right == symbol_ ? before_[static_cast<std::size_t>(left)] : after_[static_cast<std::size_t>(right)];
  }

  std::int32_t symbol_ = 0;
  std::vector<Pair> before_, after_;  // by the other symbol; the pair of two of the one is in before_
  std::vector<std::pair<std::int32_t, std::int32_t>> seen_;
};

}  // namespace toy

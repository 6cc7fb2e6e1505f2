// How the members of a team divide pieces of work among themselves.
#pragma once

#include "toy/tensor/device/cpu/kernels/simd.h"
#include "toy/tensor/team.h"

namespace toy::cpu::TOY_LEVEL {

/// Pieces [0, n), a share for each member. A member begins with its own share, whose rows it had in the op before, so
/// that they are in its cache; when that is done it takes from the ends of the shares of others.
class Pieces {
 public:
  /// n < 2^31. With one share all members take the pieces in their order.
  Pieces(std::int64_t n, std::int64_t shares) : shares_(max(1, min(shares, most))) {
    for (std::int64_t i = 0; i < shares_; ++i) {
      const Range mine = part(n, i, shares_);
      share_[i].range = static_cast<std::uint64_t>(mine.begin) << 32 | static_cast<std::uint64_t>(mine.end);
    }
  }

  /// Calls f(piece) until all are taken, whoever else takes some at the same time.
  template <class F>
  void work(int member, const F& f) {
    const std::int64_t me = member % shares_;
    for (std::int64_t piece = take(share_[me], true); piece >= 0; piece = take(share_[me], true)) f(piece);
    for (std::int64_t i = 1; i < shares_; ++i) {
      Share& other = share_[(me + i) % shares_];
      for (std::int64_t piece = take(other, false); piece >= 0; piece = take(other, false)) f(piece);
    }
  }

 private:
  static constexpr std::int64_t most = 64;
  struct alignas(64) Share {
    std::uint64_t range;  // begin in the upper half, end in the lower
  };

  /// The first or last piece of a share; -1 when none is left.
  static std::int64_t take(Share& share, bool first) {
    std::uint64_t now = __atomic_load_n(&share.range, __ATOMIC_RELAXED);
    for (;;) {
      const std::uint64_t begin = now >> 32, end = now & 0xFFFFFFFFu;
      if (begin >= end) return -1;
      const std::uint64_t rest = first ? (begin + 1) << 32 | end : begin << 32 | (end - 1);
      if (__atomic_compare_exchange_n(&share.range, &now, rest, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return static_cast<std::int64_t>(first ? begin : end - 1);
      }
    }
  }

  std::int64_t shares_;
  Share share_[most];
};

/// Calls f(member) on the members of a team, as Team::run does.
template <class F>
void run_region(const Team& team, int members, const F& f) {
  team.run(
      members, [](void* body, int member) { (*static_cast<const F*>(body))(member); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

/// Calls f(piece) for each of [0, n), shared among at most `threads` members.
template <class F>
void for_pieces(const Team& team, int threads, std::int64_t n, const F& f) {
  Pieces pieces(n, threads);
  run_region(team, n > 1 ? threads : 1, [&](int member) { pieces.work(member, f); });
}

/// Calls f(range) for ranges that make up [0, n): a single one on one thread, else some for each, so that a thread that
/// is held up leaves most of its share to others.
template <class F>
void for_ranges(const Team& team, int threads, std::int64_t n, const F& f) {
  const std::int64_t ranges = threads <= 1 ? 1 : min(n, 8 * threads);
  for_pieces(team, threads, ranges, [&](std::int64_t i) { f(part(n, i, ranges)); });
}

}  // namespace toy::cpu::TOY_LEVEL

// How the threads of a region divide pieces of work among themselves.
#pragma once

#include <omp.h>

#include "toy/tensor/device/cpu/kernels/simd.h"

namespace toy::cpu::TOY_LEVEL {

/// Pieces [0, n), a share for each thread. A thread begins with its own share, whose rows it had in the op before, so
/// that they are in its cache; when that is done it takes from the ends of the shares of others.
class Pieces {
 public:
  /// Before the region. n < 2^31.
  Pieces(std::int64_t n, std::int64_t threads) : shares_(max(1, min(threads, most))) {
    for (std::int64_t i = 0; i < shares_; ++i) {
      const Range mine = part(n, i, shares_);
      share_[i].range = static_cast<std::uint64_t>(mine.begin) << 32 | static_cast<std::uint64_t>(mine.end);
    }
  }

  /// Inside the region, by every thread: f(piece) until all are taken.
  template <class F>
  void work(const F& f) {
    const std::int64_t me = omp_get_thread_num() % shares_;
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

}  // namespace toy::cpu::TOY_LEVEL

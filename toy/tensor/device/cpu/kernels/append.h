// Storing keys and values: rounding in vectors, keys turned so that positions are neighbours.
#pragma once

#include "toy/tensor/device/cpu/kernels/math.h"
#include "toy/tensor/device/cpu/kernels/pieces.h"
#include "toy/tensor/ops/attention.h"

namespace toy::cpu::TOY_LEVEL {

/// Within the range of halves, as the plain loop has it.
inline vf saturate(vf x) {
  const vf most = broadcast(65504.0f);
  return x > most ? most : x < -most ? -most : x;
}

/// halves [d] <- x [d]
inline void narrow(std::byte* to, const float* x, std::int64_t d) {
  std::int64_t i = 0;
  for (; i + lanes <= d; i += lanes) store_half(to + 2 * i, saturate(load(x + i)));
  if (i == d) return;
  float rest[lanes] = {};
  for (std::int64_t j = i; j < d; ++j) rest[j - i] = x[j];
  std::byte halves[2 * lanes];
  store_half(halves, saturate(load(rest)));
  __builtin_memcpy(to + 2 * i, halves, static_cast<std::size_t>(2 * (d - i)));
}

/// One head of the tokens [t0, t1) of a segment, as halves.
inline void append_head(const AppendArgs& a, std::int64_t s, std::int64_t head, std::int64_t t0, std::int64_t t1) {
  const std::int64_t d = a.kv->d, half = page_positions * 2 * d;
  const Segment& segment = a.segments.data()[s];
  for (std::int64_t t = t0; t < t1; ++t) {
    const std::int64_t position = segment.past + t, slot = position % page_positions;
    const std::int64_t at = ((segment.begin + t) * a.kv->kv_heads + head) * d;
    std::byte* keys = a.kv->pages.data()[s][position / page_positions] + 2 * head * half;
    for (std::int64_t i = 0; i < d; i += lanes) {
      std::byte column[2 * lanes];
      const std::int64_t n = min(lanes, d - i);
      narrow(column, a.k + at + i, n);
      for (std::int64_t j = 0; j < n; ++j)
        __builtin_memcpy(keys + 2 * ((i + j) * page_positions + slot), column + 2 * j, 2);
    }
    narrow(keys + half + 2 * slot * d, a.v + at, d);
  }
}

inline void append(const AppendArgs& a, const Team& team) {
  if (a.kv->dtype != DType::F16) return append_ref(a);
  constexpr std::int64_t chunk = 32;  // tokens of one piece of work
  const std::int64_t heads = a.kv->kv_heads;
  for (std::int64_t s = 0; s < static_cast<std::int64_t>(a.segments.size()); ++s) {
    const std::int64_t count = a.segments.data()[s].count, pieces = (count + chunk - 1) / chunk * heads;
    const int threads = count * heads * a.kv->d >= 16384 ? team.threads() : 1;
    for_pieces(team, threads, pieces, [&](std::int64_t piece) {
      const std::int64_t t0 = piece / heads * chunk;
      append_head(a, s, piece % heads, t0, min(count, t0 + chunk));
    });
  }
}

}  // namespace toy::cpu::TOY_LEVEL

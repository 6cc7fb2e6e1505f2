// Attention over stored keys and values: blocks of 64 positions, a running maximum, tiles of query rows.
#pragma once

#include <omp.h>

#include "toy/tensor/device/cpu/kernels/math.h"
#include "toy/tensor/ops/attention.h"

namespace toy::cpu::TOY_LEVEL {

inline constexpr std::int64_t block = page_positions;
inline constexpr std::int64_t most_rows = attention_rows;

/// floats [n] <- n numbers of a page: halves, floats, or int8 with one scale for `per` neighbours.
inline void widen(float* to, const std::byte* from, DType dtype, std::int64_t n) {
  if (dtype == DType::F32) {
    __builtin_memcpy(to, from, static_cast<std::size_t>(4 * n));
    return;
  }
  for (std::int64_t i = 0; i < n; i += lanes) store(to + i, load_half(from + 2 * i));
}

/// Keys of one block of a stored page as [d][64].
inline void load_keys(float* to, const std::byte* half, DType dtype, std::int64_t d) {
  if (dtype != DType::Q8_0) return widen(to, half, dtype, d * block);
  const std::byte* numbers = half + 2 * (d / 32) * block;
  for (std::int64_t i = 0; i < d; ++i) {
    for (std::int64_t j = 0; j < block; j += lanes) {
      store(to + i * block + j, load_int8(numbers + i * block + j) * load_half(half + 2 * (i / 32 * block + j)));
    }
  }
}

/// Values of one block of a stored page as [64][stride].
inline void load_values(float* to, std::int64_t stride, const std::byte* half, DType dtype, std::int64_t d) {
  const std::byte* numbers = half + 2 * (d / 32) * block;
  for (std::int64_t j = 0; j < block; ++j) {
    float* row = to + j * stride;
    if (dtype == DType::Q8_0) {
      for (std::int64_t i = 0; i < d; i += lanes) {
        const vf scale = broadcast(half_to_float(half + 2 * (j * (d / 32) + i / 32)));
        store(row + i, load_int8(numbers + j * d + i) * scale);
      }
    } else if (dtype == DType::F32) {
      __builtin_memcpy(row, half + 4 * j * d, static_cast<std::size_t>(4 * d));
    } else {
      std::int64_t i = 0;
      for (; i + lanes <= d; i += lanes) store(row + i, load_half(half + 2 * (j * d + i)));
      for (; i < d; ++i) row[i] = half_to_float(half + 2 * (j * d + i));
    }
  }
}

/// s [rows][64] = q . keys, element by element of d in order. keys [d][64].
template <int R>
void scores_tile(const float* const* q, const float* keys, std::int64_t d, float* s) {
  for (std::int64_t j = 0; j < block; j += 2 * lanes) {
    vf sum[R][2] = {};
    for (std::int64_t i = 0; i < d; ++i) {
      const vf k0 = load(keys + i * block + j), k1 = load(keys + i * block + j + lanes);
      for (int r = 0; r < R; ++r) {
        const vf x = broadcast(q[r][i]);
        sum[r][0] = fma(x, k0, sum[r][0]);
        sum[r][1] = fma(x, k1, sum[r][1]);
      }
    }
    for (int r = 0; r < R; ++r) {
      store(s + r * block + j, sum[r][0]);
      store(s + r * block + j + lanes, sum[r][1]);
    }
  }
}

/// o [rows][stride] = o * keep + p . values, position by position in order. p [rows][64], values [64][stride].
template <int R>
void values_tile(const float* p, const float* values, std::int64_t stride, std::int64_t positions, const float* keep,
                 float* o) {
  for (std::int64_t i = 0; i < stride; i += 2 * lanes) {
    vf sum[R][2];
    for (int r = 0; r < R; ++r) {
      sum[r][0] = load(o + r * stride + i) * broadcast(keep[r]);
      sum[r][1] = load(o + r * stride + i + lanes) * broadcast(keep[r]);
    }
    for (std::int64_t j = 0; j < positions; ++j) {
      const vf v0 = load(values + j * stride + i), v1 = load(values + j * stride + i + lanes);
      for (int r = 0; r < R; ++r) {
        const vf x = broadcast(p[r * block + j]);
        sum[r][0] = fma(x, v0, sum[r][0]);
        sum[r][1] = fma(x, v1, sum[r][1]);
      }
    }
    for (int r = 0; r < R; ++r) {
      store(o + r * stride + i, sum[r][0]);
      store(o + r * stride + i + lanes, sum[r][1]);
    }
  }
}

/// Calls f with tiles of 6, 3 and 1 rows until all are done: f(integral constant R, first row).
template <class F>
void for_row_tiles(std::int64_t rows, const F& f) {
  std::int64_t r = 0;
  for (; r + 6 <= rows; r += 6) f.template operator()<6>(r);
  for (; r + 3 <= rows; r += 3) f.template operator()<3>(r);
  for (; r < rows; ++r) f.template operator()<1>(r);
}

/// Running softmax of one row: s [64] becomes the weights of `seen` positions, the rest 0.
/// Returns the factor for everything summed before.
inline float softmax_step(float* s, std::int64_t seen, float scale, bool first, float& top, float& total) {
  if (seen <= 0) {
    for (std::int64_t j = 0; j < block; j += lanes) store(s + j, vf{});
    return 1.0f;
  }
  vf index;
  for (int i = 0; i < lanes; ++i) index[i] = static_cast<float>(i);
  const vf limit = broadcast(static_cast<float>(seen)), lowest = broadcast(-__builtin_inff());
  vf highest = lowest;
  for (std::int64_t j = 0; j < block; j += lanes) {
    const vf x = load(s + j) * broadcast(scale);
    const vf masked = index + broadcast(static_cast<float>(j)) < limit ? x : lowest;
    store(s + j, masked);
    highest = max(highest, masked);
  }
  const float before = top, peak = largest(highest);
  top = first || peak > before ? peak : before;
  vf sums = {};
  for (std::int64_t j = 0; j < block; j += lanes) {
    const vf p = index + broadcast(static_cast<float>(j)) < limit ? exp(load(s + j) - broadcast(top)) : vf{};
    store(s + j, p);
    sums += p;
  }
  const float keep = first ? 0.0f : exp(broadcast(before - top))[0];
  total = total * keep + sum(sums);
  return keep;
}

/// Which query rows a tile holds: tokens [t0, t0 + tokens) of segment s, query heads [h0, h0 + heads).
struct Tile {
  std::int64_t s, t0, tokens, h0, heads;
};

inline void attention_tile(const AttentionArgs& a, const Tile& tile, float* memory) {
  const KeyValues& kv = *a.kv;
  const Segment& segment = a.segments.data()[tile.s];
  const std::int64_t d = kv.d, head = tile.h0 / (a.heads / kv.kv_heads), rows = tile.tokens * tile.heads;
  const std::int64_t stride = (d + 2 * lanes - 1) / (2 * lanes) * (2 * lanes);
  float* keys = memory;
  float* values = keys + d * block;
  float* p = values + block * stride;
  float* o = p + most_rows * block;
  const float* q[most_rows];
  float top[most_rows], total[most_rows], keep[most_rows];
  for (std::int64_t r = 0; r < rows; ++r) {
    q[r] = a.q + ((segment.begin + tile.t0 + r / tile.heads) * a.heads + tile.h0 + r % tile.heads) * d;
    top[r] = total[r] = 0;
  }
  __builtin_memset(o, 0, static_cast<std::size_t>(4 * rows * stride));
  __builtin_memset(values, 0, static_cast<std::size_t>(4 * block * stride));

  const std::int64_t last = segment.past + tile.t0 + tile.tokens - 1;  // position of the tile's last token
  const bool stored = !kv.pages.empty();
  for (std::int64_t first = 0; first <= last; first += block) {
    const std::int64_t positions = min(block, last + 1 - first);
    if (stored) {
      const std::byte* half = kv.pages.data()[tile.s][first / block] + 2 * head * block * bytes_of(kv.dtype, d);
      load_keys(keys, half, kv.dtype, d);
      load_values(values, stride, half + block * bytes_of(kv.dtype, d), kv.dtype, d);
    } else {
      for (std::int64_t j = 0; j < positions; ++j) {
        const std::int64_t row = ((segment.begin + first + j) * kv.kv_heads + head) * d;
        for (std::int64_t i = 0; i < d; ++i) keys[i * block + j] = kv.k.data<float>()[row + i];
        for (std::int64_t i = 0; i < d; ++i) values[j * stride + i] = kv.v.data<float>()[row + i];
      }
    }
    for_row_tiles(rows, [&]<int R>(std::int64_t r) { scores_tile<R>(q + r, keys, d, p + r * block); });
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t seen = min(block, segment.past + tile.t0 + r / tile.heads + 1 - first);
      keep[r] = softmax_step(p + r * block, seen, a.scale, first == 0, top[r], total[r]);
    }
    for_row_tiles(rows, [&]<int R>(std::int64_t r) {
      values_tile<R>(p + r * block, values, stride, positions, keep + r, o + r * stride);
    });
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    float* y = a.y + (q[r] - a.q);
    // + 0 makes a negative zero positive: which one it is depends on how many masked positions were added.
    for (std::int64_t i = 0; i < d; ++i) y[i] = o[r * stride + i] / total[r] + 0.0f;
  }
}

/// How the work is cut: tiles of a segment run over its tokens, then over groups of query heads.
struct Cut {
  std::int64_t tokens;  // of a tile
  std::int64_t heads;   // query heads of a tile, all reading one key/value head
  std::int64_t groups;  // of query heads

  std::int64_t tiles(const Segment& segment) const { return (segment.count + tokens - 1) / tokens * groups; }
};

inline Tile tile_at(const AttentionArgs& a, const Cut& cut, std::int64_t unit) {
  std::int64_t s = 0;
  for (; unit >= cut.tiles(a.segments.data()[s]); ++s) unit -= cut.tiles(a.segments.data()[s]);
  const std::int64_t t0 = unit / cut.groups * cut.tokens, per_kv = a.heads / a.kv->kv_heads;
  const std::int64_t parts = cut.groups / a.kv->kv_heads;  // of the query heads that share a key/value head
  const std::int64_t g = unit % cut.groups, in_kv = g % parts * cut.heads;
  return {s, t0, min(cut.tokens, a.segments.data()[s].count - t0), g / parts * per_kv + in_kv,
          min(cut.heads, per_kv - in_kv)};
}

inline void attention(const AttentionArgs& a, const Team& team) {
  const std::int64_t d = a.kv->d, per_kv = a.heads / a.kv->kv_heads;
  const std::int64_t heads = min(per_kv, most_rows);
  const Cut cut{most_rows / heads, heads, (per_kv + heads - 1) / heads * a.kv->kv_heads};
  std::int64_t units = 0, work = 0;
  for (std::size_t s = 0; s < a.segments.size(); ++s) {
    const Segment& g = a.segments.data()[s];
    units += cut.tiles(g);
    work += g.count * (g.past + g.count) * a.heads * d;
  }
  const int threads = work < 32768 ? 1 : team.threads;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
  for (std::int64_t unit = units - 1; unit >= 0; --unit) {
    attention_tile(a, tile_at(a, cut, unit), a.scratch + omp_get_thread_num() * attention_scratch(d));
  }
}

}  // namespace toy::cpu::TOY_LEVEL

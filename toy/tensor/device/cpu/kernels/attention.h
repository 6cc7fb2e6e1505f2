// Attention over stored keys and values: blocks of 64 positions, a running maximum, tiles of query rows.
#pragma once

#include "toy/tensor/device/cpu/kernels/gemm.h"
#include "toy/tensor/device/cpu/kernels/pieces.h"
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

/// Numbers [rows][stride] as they lie in a page of halves, or as floats.
struct Halves {
  const std::byte* p;
  std::int64_t stride;
  vf at(std::int64_t row, std::int64_t i) const { return load_half(p + 2 * (row * stride + i)); }
};
struct Floats {
  const float* p;
  std::int64_t stride;
  vf at(std::int64_t row, std::int64_t i) const { return load(p + row * stride + i); }
};

/// s [rows][64] = q . keys for the first `positions`, element by element of d in order. keys [d][64].
template <int R, Broadcast form, class Numbers>
void scores_tile(const float* const* q, const Numbers& keys, std::int64_t d, std::int64_t positions, float* s) {
  for (std::int64_t j = 0; j < positions; j += 2 * lanes) {
    vf sum[R][2] = {};
    for (std::int64_t i = 0; i < d; ++i) {
      const vf k0 = keys.at(i, j), k1 = keys.at(i, j + lanes);
      for (int r = 0; r < R; ++r) {
        const auto x = factor_at<form>(q[r] + i);
        sum[r][0] = fma_onto(sum[r][0], k0, x);
        sum[r][1] = fma_onto(sum[r][1], k1, x);
      }
    }
    for (int r = 0; r < R; ++r) {
      store(s + r * block + j, sum[r][0]);
      store(s + r * block + j + lanes, sum[r][1]);
    }
  }
}

/// V vectors of columns from `column` on, of what values_tile computes.
template <int R, int V, Broadcast form, class Numbers>
void values_columns(const float* p, const Numbers& values, std::int64_t positions, const float* keep, float* o,
                    std::int64_t column) {
  const std::int64_t stride = values.stride;
  vf sum[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) sum[r][v] = load(o + r * stride + column + v * lanes) * broadcast(keep[r]);
  }
  for (std::int64_t j = 0; j < positions; ++j) {
    vf value[V];
    for (int v = 0; v < V; ++v) value[v] = values.at(j, column + v * lanes);
    for (int r = 0; r < R; ++r) {
      const auto x = factor_at<form>(p + r * block + j);
      for (int v = 0; v < V; ++v) sum[r][v] = fma_onto(sum[r][v], value[v], x);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) store(o + r * stride + column + v * lanes, sum[r][v]);
  }
}

/// o [rows][stride] = o * keep + p . values, position by position in order. p [rows][64], values [64][stride], stride a
/// multiple of lanes.
template <int R, Broadcast form, class Numbers>
void values_tile(const float* p, const Numbers& values, std::int64_t positions, const float* keep, float* o) {
  std::int64_t i = 0;
  for (; i + 2 * lanes <= values.stride; i += 2 * lanes) values_columns<R, 2, form>(p, values, positions, keep, o, i);
  if (i < values.stride) values_columns<R, 1, form>(p, values, positions, keep, o, i);
}

/// Calls f with tiles of 6, 3, 2 and 1 rows until all are done: f<R>(first row).
template <class F>
void for_row_tiles(std::int64_t rows, const F& f) {
  std::int64_t r = 0;
  for (; r + 6 <= rows; r += 6) f.template operator()<6>(r);
  for (; r + 3 <= rows; r += 3) f.template operator()<3>(r);
  for (; r + 2 <= rows; r += 2) f.template operator()<2>(r);
  for (; r < rows; ++r) f.template operator()<1>(r);
}

/// f<form>() for tiles of R rows. Only the highest come in two forms: the others take little time.
template <int R, class F>
void with_form(Broadcast form, const F& f) {
  if constexpr (has_forms && R == 6) {
    if (form == Broadcast::from_memory) return f.template operator()<Broadcast::from_memory>();
  }
  f.template operator()<Broadcast::in_register>();
}

/// `inside` in the first n lanes, `outside` in the others.
inline vf first_lanes(std::int64_t n, vf inside, vf outside) {
  vf index;
  for (int i = 0; i < lanes; ++i) index[i] = static_cast<float>(i);
  return index < broadcast(static_cast<float>(n)) ? inside : outside;
}

/// Scales the scores s [positions] of one row; those from `seen` on become -infinity. Returns the largest.
inline float scale_scores(float* s, std::int64_t seen, std::int64_t positions, float scale) {
  const vf lowest = broadcast(-__builtin_inff());
  vf highest = lowest;
  for (std::int64_t j = 0; j < positions; j += lanes) {
    vf x = load(s + j) * broadcast(scale);
    if (j + lanes > seen) x = first_lanes(seen - j, x, lowest);
    store(s + j, x);
    highest = max(highest, x);
  }
  return largest(highest);
}

/// s [positions] <- e^(s - top), 0 from `seen` on. Returns their sum.
inline float weigh_scores(float* s, std::int64_t seen, std::int64_t positions, float top) {
  vf sums = {};
  for (std::int64_t j = 0; j < positions; j += lanes) {
    vf p = exp(load(s + j) - broadcast(top));
    if (j + lanes > seen) p = first_lanes(seen - j, p, vf{});
    store(s + j, p);
    sums += p;
  }
  return sum(sums);
}

/// The running softmax of a tile's rows.
struct Running {
  float top[most_rows], total[most_rows];  // of the blocks so far
  float keep[most_rows];                   // factor for what was summed before the last block
};

/// One block more: s [rows][64] becomes weights. seen(row): how many positions of the block the row sees; needed(row):
/// how many its tile computes.
template <class Seen, class Needed>
void softmax_step(float* s, std::int64_t rows, float scale, bool first, const Seen& seen, const Needed& needed,
                  Running& run) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float before = run.top[r], peak = scale_scores(s + r * block, seen(r), needed(r), scale);
    run.top[r] = first || peak > before ? peak : before;
    run.keep[r] = first ? 0.0f : before - run.top[r];
  }
  for (std::int64_t r = 0; r < rows && !first; r += lanes) store(run.keep + r, exp(load(run.keep + r)));
  for (std::int64_t r = 0; r < rows; ++r) {
    run.total[r] = run.total[r] * run.keep[r] + weigh_scores(s + r * block, seen(r), needed(r), run.top[r]);
  }
}

/// Which query rows a tile holds: tokens [t0, t0 + tokens) of segment s, query heads [h0, h0 + heads).
struct Tile {
  std::int64_t s, t0, tokens, h0, heads;
};

/// One block of keys and values and the rows that read it.
struct BlockRows {
  const float* const* q;
  std::int64_t rows, d, positions;
  float *p, *o;
  Broadcast form;
};

/// fetch(row): asks for what is needed later, between other work.
template <class Numbers, class Seen, class Fetch>
void attention_block(const BlockRows& b, const Numbers& keys, const Numbers& values, float scale, bool first,
                     const Seen& seen, const Fetch& fetch, Running& run) {
  std::int64_t needed[most_rows];  // positions that any row of the tile sees; weights beyond would be 0
  for_row_tiles(b.rows, [&]<int R>(std::int64_t r) {
    const std::int64_t positions = max(0, min(b.positions, seen(r + R - 1)));
    for (int i = 0; i < R; ++i) {
      needed[r + i] = positions;
      fetch(r + i);
    }
    with_form<R>(b.form,
                 [&]<Broadcast form>() { scores_tile<R, form>(b.q + r, keys, b.d, positions, b.p + r * block); });
  });
  softmax_step(
      b.p, b.rows, scale, first, seen, [&](std::int64_t r) { return needed[r]; }, run);
  for_row_tiles(b.rows, [&]<int R>(std::int64_t r) {
    with_form<R>(b.form, [&]<Broadcast form>() {
      values_tile<R, form>(b.p + r * block, values, needed[r], run.keep + r, b.o + r * values.stride);
    });
  });
}

inline constexpr std::int64_t fetched_whole = 1 << 16;  // floats of a segment that are asked for as they lie; 256 KB

/// Row `row` behind a segment, in a tensor [T, heads, d].
inline std::int64_t behind(const Segment& segment, std::int64_t heads, std::int64_t row) {
  return (segment.begin + segment.count) * heads + row;
}

/// Asks for the next segment if it is small, in the order in which it lies: rows of one head are too far apart for the
/// processor to see them coming. `row`: of all rows [heads][tokens] of this segment, each asks for one.
inline void fetch_row(const AttentionArgs& a, const Segment& segment, std::int64_t row) {
  const std::int64_t d = a.kv->d;
  if (segment.count * d * (a.heads + 2 * a.kv->kv_heads) > fetched_whole) return;
  fetch_ahead(a.q, behind(segment, a.heads, row) * d, d);
  if (row >= a.kv->kv_heads * segment.count) return;
  for (const Tensor* x : {&a.kv->k, &a.kv->v})
    fetch_ahead(x->data<float>(), behind(segment, a.kv->kv_heads, row) * d, d);
}

inline void attention_tile(const AttentionArgs& a, const Tile& tile, Broadcast form, float* memory) {
  const KeyValues& kv = *a.kv;
  const Segment& segment = a.segments.data()[tile.s];
  const std::int64_t d = kv.d, head = tile.h0 / (a.heads / kv.kv_heads), rows = tile.tokens * tile.heads;
  const std::int64_t stride = (d + lanes - 1) / lanes * lanes;
  float* keys = memory;
  float* values = keys + d * block;
  float* p = values + block * stride;
  float* o = p + most_rows * block;
  const float* q[most_rows];
  Running run{};
  for (std::int64_t r = 0; r < rows; ++r) {
    q[r] = a.q + ((segment.begin + tile.t0 + r / tile.heads) * a.heads + tile.h0 + r % tile.heads) * d;
  }
  const bool stored = !kv.pages.empty();
  // Few rows would not repay a copy as floats.
  const bool direct = stored && kv.dtype == DType::F16 && rows <= 12 && stride == d;
  __builtin_memset(o, 0, static_cast<std::size_t>(4 * rows * stride));
  if (!direct) __builtin_memset(values, 0, static_cast<std::size_t>(4 * block * stride));

  const std::int64_t last = segment.past + tile.t0 + tile.tokens - 1;  // position of the tile's last token
  for (std::int64_t first = 0; first <= last; first += block) {
    const BlockRows here{q, rows, d, min(block, last + 1 - first), p, o, form};
    const auto seen = [&](std::int64_t r) { return segment.past + tile.t0 + r / tile.heads + 1 - first; };
    const std::byte* half = nullptr;
    if (stored) half = kv.pages.data()[tile.s][first / block] + 2 * head * block * bytes_of(kv.dtype, d);
    if (direct) {
      attention_block(
          here, Halves{half, block}, Halves{half + 2 * block * d, d}, a.scale, first == 0, seen, [](std::int64_t) {},
          run);
      continue;
    }
    if (stored) {
      load_keys(keys, half, kv.dtype, d);
      load_values(values, stride, half + block * bytes_of(kv.dtype, d), kv.dtype, d);
    } else {
      const std::int64_t from = ((segment.begin + first) * kv.kv_heads + head) * d, step = kv.kv_heads * d;
      turn(kv.k.data<float>() + from, step, here.positions, d, keys, block);
      for (std::int64_t j = 0; j < here.positions; ++j) {
        copy_few(values + j * stride, kv.v.data<float>() + from + j * step, d);
      }
    }
    const auto fetch = [&](std::int64_t r) {
      if (stored || first > 0) return;
      fetch_ahead(a.y, q[r] - a.q, d);
      fetch_row(a, segment, (tile.h0 + r % tile.heads) * segment.count + tile.t0 + r / tile.heads);
    };
    attention_block(here, Floats{keys, block}, Floats{values, stride}, a.scale, first == 0, seen, fetch, run);
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    float* y = a.y + (q[r] - a.q);
    // + 0 makes a negative zero positive: which one it is depends on how many masked positions were added.
    for (std::int64_t i = 0; i < d; ++i) y[i] = o[r * stride + i] / run.total[r] + 0.0f;
    if (a.softmax == nullptr) continue;
    float* softmax = a.softmax + (q[r] - a.q) / d * 2;
    softmax[0] = run.top[r];
    softmax[1] = run.total[r];
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
  const int threads = work < 32768 ? 1 : team.threads();
  const Broadcast form = team.forms()[MicroKernel::attention];
  // Stored keys make the last tiles of a prompt the longest: they are taken first, by whoever is free.
  const bool stored = !a.kv->pages.empty();
  Pieces pieces(units, stored ? 1 : threads);
  run_region(team, threads, [&](int member) {
    float* memory = a.scratch + member * attention_scratch(d);
    pieces.work(member, [&](std::int64_t unit) {
      attention_tile(a, tile_at(a, cut, stored ? units - 1 - unit : unit), form, memory);
    });
  });
}

}  // namespace toy::cpu::TOY_LEVEL

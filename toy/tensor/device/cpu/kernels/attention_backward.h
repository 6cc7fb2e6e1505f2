// Gradients of attention: blocks of 64 keys against tiles of query rows, the weights computed again.
#pragma once

#include "toy/tensor/device/cpu/kernels/attention.h"
#include "toy/tensor/device/cpu/kernels/gemm.h"

namespace toy::cpu::TOY_LEVEL {

/// What is multiplied: query rows [d][48] by keys or values [d][64]; weights [48][64], or those turned, by rows [pad].
inline constexpr Strides turned_rows{1, most_rows, block}, weights{block, 1, 0}, turned_weights{1, block, 0};

/// One key/value head of one segment, and the memory it works in. Rows of `pad` floats end in zeros.
struct HeadBackward {
  const AttentionBackwardArgs& a;
  const Segment& segment;
  Broadcast form;
  std::int64_t head, group, pad;
  float *keys, *keys_turned, *values_turned, *dk, *dv;            // [64][pad], [d][64], [d][64], [64][pad], [64][pad]
  float *q, *q_turned, *dy, *dy_turned, *dq;                      // [48][pad], [d][48], ...
  float *p, *ds;                                                  // [48][64]
  float* delta;                                                   // [48]: rowsum(dy y)
  std::int64_t q_row(std::int64_t token, std::int64_t h) const {  // of the head's group
    return ((segment.begin + token) * a.heads + head * group + h) * a.d;
  }
  std::int64_t kv_row(std::int64_t position) const { return ((segment.begin + position) * a.kv_heads + head) * a.d; }
  bool last() const { return head + 1 == a.kv_heads; }  // of its segment
};

inline HeadBackward head_backward(const AttentionBackwardArgs& a, const Segment& segment, Broadcast form,
                                  std::int64_t head, float* memory) {
  HeadBackward h{a,
                 segment,
                 form,
                 head,
                 a.heads / a.kv_heads,
                 (a.d + lanes - 1) / lanes * lanes,
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {}};
  const auto take = [&](std::int64_t n) {
    float* here = memory;
    memory += n;
    return here;
  };
  for (float** buffer : {&h.keys, &h.keys_turned, &h.values_turned, &h.dk, &h.dv}) *buffer = take(block * h.pad);
  for (float** buffer : {&h.q, &h.q_turned, &h.dy, &h.dy_turned, &h.dq}) *buffer = take(most_rows * h.pad);
  for (float** buffer : {&h.p, &h.ds}) *buffer = take(most_rows * block);
  h.delta = take(most_rows);
  return h;
}

/// to [rows][pad] <- rows [rows][d], zeros beyond.
inline void copy_padded(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t d, float* to,
                        std::int64_t pad) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < d; i += lanes)
      store(to + r * pad + i, load_n(from + r * stride + i, min(lanes, d - i)));
  }
}

inline float dot(const float* x, const float* y, std::int64_t n) {
  vf s = {};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) s = fma(load(x + i), load(y + i), s);
  if (i < n) s = fma(load_part(x + i, n - i), load_part(y + i, n - i), s);
  return sum(s);
}

/// p <- e^(scale s - largest) / sum where the row sees the position, else 0; ds <- p (dp - delta) scale. s and dp are
/// there for the first `positions`.
inline void weigh_row(const AttentionBackwardArgs& a, const float* softmax, std::int64_t seen, std::int64_t positions,
                      float delta, float* p, float* ds) {
  const vf scale = broadcast(a.scale), top = broadcast(softmax[0]), part_of_sum = broadcast(1.0f / softmax[1]);
  for (std::int64_t j = 0; j < positions; j += lanes) {
    vf weight = exp(load(p + j) * scale - top) * part_of_sum;
    if (j + lanes > seen) weight = first_lanes(seen - j, weight, vf{});
    store(p + j, weight);
    store(ds + j, weight * (load(ds + j) - broadcast(delta)) * scale);
  }
  for (std::int64_t j = positions; j < block; j += lanes) {
    store(p + j, vf{});
    store(ds + j, vf{});
  }
}

/// Asks for what is read next, as rows of one head lie too far apart for the processor to see them coming. The next
/// segment is asked for as it lies, a part by each row of this one, if it fits into the nearer caches; else the same
/// row of the next head or, behind the last one, of the next segment's first head.
inline void fetch_next(const HeadBackward& h, std::int64_t token, std::int64_t query) {
  const AttentionBackwardArgs& a = h.a;
  const std::int64_t d = a.d, count = h.segment.count, whole = count * d;
  const std::int64_t row = h.head * count + token;
  std::int64_t q = h.q_row(token, query), kv = h.kv_row(token);
  if (whole * (3 * a.heads + 2 * a.kv_heads) <= fetched_whole) {
    q = behind(h.segment, a.heads, row * h.group + query) * d;
    kv = behind(h.segment, a.kv_heads, row) * d;
  } else {
    q += h.last() ? whole * a.heads - h.head * h.group * d : h.group * d;
    kv += h.last() ? whole * a.kv_heads - h.head * d : d;
  }
  for (const float* x : {a.q, a.dy, a.y}) fetch_ahead(x, q, d);
  if (query > 0) return;
  for (const float* x : {a.k, a.v}) fetch_ahead(x, kv, d);
}

/// The query rows of tokens [t0, t0 + tokens) against the loaded block of keys, which begins at `first`.
inline void backward_tile(const HeadBackward& h, std::int64_t t0, std::int64_t tokens, std::int64_t h0,
                          std::int64_t heads, std::int64_t first) {
  const AttentionBackwardArgs& a = h.a;
  const std::int64_t d = a.d, pad = h.pad, rows = tokens * heads, positions = min(block, t0 + tokens - first);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int64_t from = h.q_row(t0 + t, h0), r = t * heads;
    copy_padded(a.q + from, d, heads, d, h.q + r * pad, pad);
    copy_padded(a.dy + from, d, heads, d, h.dy + r * pad, pad);
    if (first > 0) copy_padded(a.dq + from, d, heads, d, h.dq + r * pad, pad);
    for (std::int64_t i = 0; i < heads; ++i) h.delta[r + i] = dot(a.dy + from + i * d, a.y + from + i * d, d);
  }
  turn(h.q, pad, rows, d, h.q_turned, most_rows);
  turn(h.dy, pad, rows, d, h.dy_turned, most_rows);
  // Row r sees the positions below seen(r): what lies beyond is 0 and left out, tile by tile.
  const auto seen = [&](std::int64_t r) { return t0 + r / heads + 1 - first; };
  for (std::int64_t r = 0; r < rows; r += tile_height) {
    const std::int64_t R = min(tile_height, rows - r), here = min(positions, seen(r + R - 1));
    const std::int64_t wide = (here + panel_width - 1) / panel_width * panel_width;
    float *p = h.p + r * block, *ds = h.ds + r * block;
    multiply_small<turned_rows>(h.q_turned + r, h.keys_turned, block, R, wide, d, p, block, false, h.form);
    multiply_small<turned_rows>(h.dy_turned + r, h.values_turned, block, R, wide, d, ds, block, false, h.form);
    for (std::int64_t i = 0; i < R; ++i) {
      const std::int64_t row = r + i, token = t0 + row / heads, query = h0 + row % heads;
      if (first == 0) fetch_next(h, token, query);
      const float* softmax = a.softmax + h.q_row(token, query) / d * 2;
      weigh_row(a, softmax, seen(row), wide, h.delta[row], p + i * block, ds + i * block);
    }
    multiply_small<weights>(ds, h.keys, pad, R, pad, here, h.dq + r * pad, pad, first > 0, h.form);
  }
  for (std::int64_t j = 0; j < positions; j += tile_height) {
    const std::int64_t n = min(tile_height, positions - j),
                       r = max(0, (first + j - t0) * heads);  // the first that sees j
    multiply_small<turned_weights>(h.p + r * block + j, h.dy + r * pad, pad, n, pad, rows - r, h.dv + j * pad, pad,
                                   true, h.form);
    multiply_small<turned_weights>(h.ds + r * block + j, h.q + r * pad, pad, n, pad, rows - r, h.dk + j * pad, pad,
                                   true, h.form);
  }
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t i = 0; i < heads; ++i) {
      copy_few(a.dq + h.q_row(t0 + t, h0 + i), h.dq + (t * heads + i) * pad, d);
    }
  }
}

inline void backward_head(const HeadBackward& h) {
  const AttentionBackwardArgs& a = h.a;
  const std::int64_t d = a.d, pad = h.pad, step = a.kv_heads * d, count = h.segment.count;
  const std::int64_t heads = min(h.group, most_rows), tokens = most_rows / heads;
  for (std::int64_t first = 0; first < count; first += block) {
    const std::int64_t positions = min(block, count - first);
    __builtin_memset(h.keys_turned, 0, static_cast<std::size_t>(4 * d * block));
    __builtin_memset(h.values_turned, 0, static_cast<std::size_t>(4 * d * block));
    copy_padded(a.k + h.kv_row(first), step, positions, d, h.keys, pad);
    turn(a.k + h.kv_row(first), step, positions, d, h.keys_turned, block);
    turn(a.v + h.kv_row(first), step, positions, d, h.values_turned, block);
    __builtin_memset(h.dk, 0, static_cast<std::size_t>(4 * positions * pad));
    __builtin_memset(h.dv, 0, static_cast<std::size_t>(4 * positions * pad));
    for (std::int64_t t0 = first; t0 < count; t0 += tokens) {
      for (std::int64_t h0 = 0; h0 < h.group; h0 += heads) {
        backward_tile(h, t0, min(tokens, count - t0), h0, min(heads, h.group - h0), first);
      }
    }
    for (std::int64_t j = 0; j < positions; ++j) {
      copy_few(a.dk + h.kv_row(first + j), h.dk + j * pad, d);
      copy_few(a.dv + h.kv_row(first + j), h.dv + j * pad, d);
    }
  }
}

inline void attention_backward(const AttentionBackwardArgs& a, const Team& team) {
  const std::int64_t units = static_cast<std::int64_t>(a.segments.size()) * a.kv_heads;
  std::int64_t work = 0;
  for (std::size_t s = 0; s < a.segments.size(); ++s) {
    const std::int64_t n = a.segments.data()[s].count;
    work += n * n * a.heads * a.d;
  }
  const int threads = work < 16384 ? 1 : team.threads();
  const Broadcast form = team.forms()[MicroKernel::attention_backward];
  Pieces pieces(units, threads);
  run_region(team, threads, [&](int member) {
    float* memory = a.scratch + member * attention_backward_scratch(a.d);
    pieces.work(member, [&](std::int64_t unit) {
      const Segment& segment = a.segments.data()[unit / a.kv_heads];
      backward_head(head_backward(a, segment, form, unit % a.kv_heads, memory));
    });
  });
}

}  // namespace toy::cpu::TOY_LEVEL

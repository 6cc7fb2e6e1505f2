// Attention over the keys and values of each sequence of a ragged batch, and where they are stored.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "toy/tensor/op.h"
#include "toy/tensor/ops/dequantize.h"

namespace toy {

/// Tokens of one sequence in a ragged batch: rows [begin, begin + count), the first at position `past`.
struct Segment {
  std::int64_t begin = 0;
  std::int64_t count = 0;
  std::int64_t past = 0;
};

/// Positions that lie together, in storage and in the order of every sum over positions.
inline constexpr std::int64_t page_positions = 64;

/// A page holds page_positions positions of one layer, for each key/value head first the keys, then the values:
///   keys   [d][64] (element by element, so that positions are neighbours), values [64][d], F32 or F16;
///   Q8_0 keys: scales F16 [d/32][64], then int8 [d][64]; values: scales F16 [64][d/32], then int8 [64][d].
constexpr std::int64_t page_bytes(DType dtype, std::int64_t kv_heads, std::int64_t d) {
  return 2 * kv_heads * page_positions * bytes_of(dtype, d);
}

/// Keys and values as attention reads them: stored in pages, or (without a store) the rows of this batch.
struct KeyValues {
  DType dtype = DType::F32;
  std::int64_t kv_heads = 0, d = 0;
  std::vector<std::byte* const*> pages;  // per segment: its pages in order; empty without a store
  Tensor k, v;                           // [T, kv_heads * d] without a store
};

/// Stores k, v [T, kv_heads * d] F32 at the positions of their segments, rounded to kv.dtype. pages must be there.
void append(const Tensor& k, const Tensor& v, std::span<const Segment> segments, const KeyValues& kv);

/// y = softmax(scale q K^T + mask) V per head; query head h reads key/value head h / (heads / kv_heads)
/// (Vaswani et al. 2017, eq. 1; Ainslie et al. 2023). A token sees the positions up to its own.
/// q [T, heads * d] F32 -> [T, heads * d]. Sums run over blocks of 64 positions from position 0, with the
/// running maximum of Dao et al. 2022, so they do not depend on how the prompt was cut.
Tensor attention(const Tensor& q, const KeyValues& kv, std::span<const Segment> segments, float scale);

struct AppendArgs {
  static constexpr Op op{"append"};
  const float* k;  // [T, kv_heads, d]
  const float* v;
  std::span<const Segment> segments;
  const KeyValues* kv;
};

struct AttentionArgs {
  static constexpr Op op{"attention"};
  const float* q;  // [T, heads, d]
  float* y;        // [T, heads, d]
  std::span<const Segment> segments;
  const KeyValues* kv;
  std::int64_t heads;
  float scale;
  float* scratch;  // attention_scratch(d) floats for each thread
};

/// Query rows (tokens x heads of one group) that a fast kernel takes together.
inline constexpr std::int64_t attention_rows = 48;

/// Floats of one thread: a block of keys, one of values (rows padded to at most 32 more), scores and sums.
constexpr std::int64_t attention_scratch(std::int64_t d) {
  return page_positions * (2 * d + 32) + attention_rows * (page_positions + d + 32);
}

/// Where one stored number lies. `page` belongs to one layer; position within the page 0..63.
struct PageView {
  const std::byte* page;
  DType dtype;
  std::int64_t kv_heads, d;

  std::int64_t half_bytes() const { return page_positions * bytes_of(dtype, d); }
  const std::byte* keys(std::int64_t head) const { return page + 2 * head * half_bytes(); }
  const std::byte* values(std::int64_t head) const { return keys(head) + half_bytes(); }
  float key(std::int64_t head, std::int64_t position, std::int64_t i) const;
  float value(std::int64_t head, std::int64_t position, std::int64_t i) const;
};

/// Key element i of a head at an absolute position of segment s (without a store: of the row of this batch).
float key_at(const KeyValues& kv, const Segment& segment, std::size_t s, std::int64_t head, std::int64_t position,
             std::int64_t i);
float value_at(const KeyValues& kv, const Segment& segment, std::size_t s, std::int64_t head, std::int64_t position,
               std::int64_t i);

/// Plain loops; also the kernel of every SIMD level, since it only moves bytes.
void append_ref(const AppendArgs& a);

template <class Real>
void attention_ref(const AttentionArgs& a) {
  const std::int64_t d = a.kv->d, group = a.heads / a.kv->kv_heads;
  std::vector<Real> p;
  for (std::size_t s = 0; s < a.segments.size(); ++s) {
    const Segment& segment = a.segments[s];
    for (std::int64_t row = 0; row < segment.count * a.heads; ++row) {
      const std::int64_t t = row / a.heads, h = row % a.heads, seen = segment.past + t + 1;
      const std::int64_t at = ((segment.begin + t) * a.heads + h) * d;
      p.assign(static_cast<std::size_t>(seen), Real{0});
      Real top = -std::numeric_limits<Real>::infinity(), sum = 0;
      for (std::int64_t j = 0; j < seen; ++j) {
        Real score = 0;
        for (std::int64_t i = 0; i < d; ++i) {
          score += static_cast<Real>(a.q[at + i]) * static_cast<Real>(key_at(*a.kv, segment, s, h / group, j, i));
        }
        p[static_cast<std::size_t>(j)] = score * static_cast<Real>(a.scale);
        top = std::max(top, p[static_cast<std::size_t>(j)]);
      }
      for (Real& x : p) sum += x = std::exp(x - top);
      for (std::int64_t i = 0; i < d; ++i) {
        Real y = 0;
        for (std::int64_t j = 0; j < seen; ++j) {
          y += p[static_cast<std::size_t>(j)] * static_cast<Real>(value_at(*a.kv, segment, s, h / group, j, i));
        }
        a.y[at + i] = static_cast<float>(y / sum);
      }
    }
  }
}

}  // namespace toy

// Attention over the keys and values of each sequence of a ragged batch, and where they are stored.
#pragma once

#include <algorithm>
#include <array>
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
  // In a trace: the store as one value [positions, 2, kv_heads * d], and begin, count, past of the segments [B, 3].
  Tensor state, segments;
};

/// Stores k, v [T, kv_heads * d] F32 at the positions of their segments, rounded to kv.dtype. pages must be there.
void append(const Tensor& k, const Tensor& v, std::span<const Segment> segments, const KeyValues& kv);

/// y = softmax(scale q K^T + mask) V per head; query head h reads key/value head h / (heads / kv_heads)
/// (Vaswani et al. 2017, eq. 1; Ainslie et al. 2023). A token sees the positions up to its own.
/// q [T, heads * d] F32, or F64 with keys and values F64 and no store -> [T, heads * d]. Sums run over blocks of 64
/// positions from position 0, with the running maximum of Dao et al. 2022, so they do not depend on how the prompt was
/// cut.
Tensor attention(const Tensor& q, const KeyValues& kv, std::span<const Segment> segments, float scale);

/// Gradients of q, k and v where nothing is stored. With P = softmax(scale q k^T + mask):
/// dv = P^T dy, dP = dy v^T, dS = P (dP - rowsum(dy y)), dq = scale dS k, dk = scale dS^T q; those of k and v add up
/// over the query heads that read them. P is computed again, piece by piece, from what the forward left in `softmax`
/// (Dao 2023, algorithm 2): no T x T matrix. softmax [T, heads, 2]: the largest score of a row, and the sum of
/// e^(score - largest).
std::array<Tensor, 3> attention_backward(const Tensor& q, const KeyValues& kv, const Tensor& y, const Tensor& softmax,
                                         const Tensor& dy, std::span<const Segment> segments, float scale);

struct AppendArgs {
  static constexpr Op op{"append", "K <- [K; k], V <- [V; v]", false};
  const float* k;  // [T, kv_heads, d]
  const float* v;
  std::span<const Segment> segments;
  const KeyValues* kv;
};

template <class Number>
struct AttentionArgsOf {
  static constexpr Op op{"attention", "y = softmax(scale q K^T + mask) V", true};
  const Number* q;  // [T, heads, d]
  Number* y;        // [T, heads, d]
  std::span<const Segment> segments;
  const KeyValues* kv;
  std::int64_t heads;
  float scale;
  Number* scratch;  // attention_scratch(d) floats for each thread
  Number* softmax;  // [T, heads, 2], the largest score and the sum of each row; null: not wanted
};
using AttentionArgs = AttentionArgsOf<float>;

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
template <class Number = float>
Number key_at(const KeyValues& kv, const Segment& segment, std::size_t s, std::int64_t head, std::int64_t position,
              std::int64_t i) {
  if (kv.pages.empty()) return kv.k.data<Number>()[((segment.begin + position) * kv.kv_heads + head) * kv.d + i];
  return PageView{kv.pages[s][position / page_positions], kv.dtype, kv.kv_heads, kv.d}.key(
      head, position % page_positions, i);
}
template <class Number = float>
Number value_at(const KeyValues& kv, const Segment& segment, std::size_t s, std::int64_t head, std::int64_t position,
                std::int64_t i) {
  if (kv.pages.empty()) return kv.v.data<Number>()[((segment.begin + position) * kv.kv_heads + head) * kv.d + i];
  return PageView{kv.pages[s][position / page_positions], kv.dtype, kv.kv_heads, kv.d}.value(
      head, position % page_positions, i);
}

/// Plain loops; also the kernel of every SIMD level, since it only moves bytes.
void append_ref(const AppendArgs& a);

template <class Real, class Number = float>
void attention_ref(const AttentionArgsOf<Number>& a) {
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
          score +=
              static_cast<Real>(a.q[at + i]) * static_cast<Real>(key_at<Number>(*a.kv, segment, s, h / group, j, i));
        }
        p[static_cast<std::size_t>(j)] = score * static_cast<Real>(a.scale);
        top = std::max(top, p[static_cast<std::size_t>(j)]);
      }
      for (Real& x : p) sum += x = std::exp(x - top);
      if (a.softmax != nullptr) {
        a.softmax[2 * ((segment.begin + t) * a.heads + h)] = static_cast<Number>(top);
        a.softmax[2 * ((segment.begin + t) * a.heads + h) + 1] = static_cast<Number>(sum);
      }
      for (std::int64_t i = 0; i < d; ++i) {
        Real y = 0;
        for (std::int64_t j = 0; j < seen; ++j) {
          y += p[static_cast<std::size_t>(j)] * static_cast<Real>(value_at<Number>(*a.kv, segment, s, h / group, j, i));
        }
        a.y[at + i] = static_cast<Number>(y / sum);
      }
    }
  }
}

template <class Number>
struct AttentionBackwardArgsOf {
  static constexpr Op op{"attention_backward", "dq, dk, dv of attention", false};
  const Number* q;        // [T, heads, d]
  const Number* k;        // [T, kv_heads, d]
  const Number* v;        // [T, kv_heads, d]
  const Number* y;        // [T, heads, d]
  const Number* softmax;  // [T, heads, 2]
  const Number* dy;       // [T, heads, d]
  Number* dq;             // [T, heads, d]
  Number* dk;
  Number* dv;
  std::span<const Segment> segments;
  std::int64_t heads, kv_heads, d;
  float scale;
  Number* scratch;  // attention_backward_scratch(d) numbers for each thread
};
using AttentionBackwardArgs = AttentionBackwardArgsOf<float>;

/// Numbers of one thread: a block of keys, of values (both also turned) and of their gradients; query rows and their
/// gradients (also turned); weights and their gradients. Rows are padded to at most 32 more.
constexpr std::int64_t attention_backward_scratch(std::int64_t d) {
  return 5 * page_positions * (d + 32) + 5 * attention_rows * (d + 32) + attention_rows * (2 * page_positions + 2);
}

/// One key/value head of one segment; computes P from the scores alone.
template <class Number>
void attention_backward_ref(const AttentionBackwardArgsOf<Number>& a, const Segment& segment, std::int64_t head) {
  const std::int64_t d = a.d, group = a.heads / a.kv_heads;
  const auto kv_row = [&](std::int64_t j) { return ((segment.begin + j) * a.kv_heads + head) * d; };
  const auto dot = [&](const Number* x, const Number* y) {
    double s = 0;
    for (std::int64_t i = 0; i < d; ++i) s += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    return s;
  };
  std::vector<double> p(static_cast<std::size_t>(segment.count)), dp(p);
  for (std::int64_t row = 0; row < segment.count * group; ++row) {
    const std::int64_t t = row / group, at = ((segment.begin + t) * a.heads + head * group + row % group) * d;
    double top = -std::numeric_limits<double>::infinity(), sum = 0, mean = 0;
    for (std::int64_t j = 0; j <= t; ++j) {
      p[static_cast<std::size_t>(j)] = dot(a.q + at, a.k + kv_row(j)) * static_cast<double>(a.scale);
      top = std::max(top, p[static_cast<std::size_t>(j)]);
    }
    for (std::int64_t j = 0; j <= t; ++j)
      sum += p[static_cast<std::size_t>(j)] = std::exp(p[static_cast<std::size_t>(j)] - top);
    for (std::int64_t j = 0; j <= t; ++j) {
      const auto n = static_cast<std::size_t>(j);
      p[n] /= sum;
      dp[n] = dot(a.dy + at, a.v + kv_row(j));
      mean += p[n] * dp[n];
    }
    for (std::int64_t j = 0; j <= t; ++j) {
      const auto n = static_cast<std::size_t>(j);
      const double ds = p[n] * (dp[n] - mean) * static_cast<double>(a.scale);
      for (std::int64_t i = 0; i < d; ++i) {
        a.dq[at + i] += static_cast<Number>(ds * static_cast<double>(a.k[kv_row(j) + i]));
        a.dk[kv_row(j) + i] += static_cast<Number>(ds * static_cast<double>(a.q[at + i]));
        a.dv[kv_row(j) + i] += static_cast<Number>(p[n] * static_cast<double>(a.dy[at + i]));
      }
    }
  }
}

template <class Number>
void attention_backward_ref(const AttentionBackwardArgsOf<Number>& a) {
  for (const Segment& segment : a.segments) {
    std::fill_n(a.dq + segment.begin * a.heads * a.d, segment.count * a.heads * a.d, Number{0});
    std::fill_n(a.dk + segment.begin * a.kv_heads * a.d, segment.count * a.kv_heads * a.d, Number{0});
    std::fill_n(a.dv + segment.begin * a.kv_heads * a.d, segment.count * a.kv_heads * a.d, Number{0});
  }
  for (const Segment& segment : a.segments) {
    for (std::int64_t head = 0; head < a.kv_heads; ++head) attention_backward_ref(a, segment, head);
  }
}

}  // namespace toy

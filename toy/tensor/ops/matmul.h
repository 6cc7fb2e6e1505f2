// Products of matrices, and the turning of axes.
#pragma once

#include "toy/tensor/op.h"

namespace toy {

/// y = a b. a [..., M, K], b [..., K, N] -> [..., M, N], F32 or F64; leading axes are equal, or b has none.
/// Each output takes k = 0..K-1 in order.
Tensor matmul(const Tensor& a, const Tensor& b);

/// x with two axes exchanged; negative axes count from the last.
Tensor transpose(const Tensor& x, int first = -2, int second = -1);

template <class Number>
struct MatmulArgsOf {
  static constexpr Op op{"matmul", "y = a b", true};
  const Number* a;  // [batch, M, K]
  const Number* b;  // [batch, K, N], or [K, N] for all
  Number* y;        // [batch, M, N]
  std::int64_t batch, M, K, N;
  std::int64_t b_stride;  // from one matrix b to the next; 0: one for all
};

/// x [outer, m, middle, n, inner] -> y [outer, n, middle, m, inner].
template <class Number>
struct TransposeArgsOf {
  static constexpr Op op{"transpose", "y = x^T", true};
  const Number* x;
  Number* y;
  std::int64_t outer, m, middle, n, inner;
};

template <class Number>
void matmul_ref(const MatmulArgsOf<Number>& a) {
  for (std::int64_t row = 0; row < a.batch * a.M; ++row) {
    const Number* x = a.a + row * a.K;
    const Number* b = a.b + row / a.M * a.b_stride;
    Number* y = a.y + row * a.N;
    for (std::int64_t n = 0; n < a.N; ++n) y[n] = 0;
    for (std::int64_t k = 0; k < a.K; ++k) {
      for (std::int64_t n = 0; n < a.N; ++n) y[n] += x[k] * b[k * a.N + n];
    }
  }
}

template <class Number>
void transpose_ref(const TransposeArgsOf<Number>& a) {
  constexpr std::int64_t tile = 16;  // so that both sides stay in the cache
  for (std::int64_t o = 0; o < a.outer; ++o) {
    const Number* x = a.x + o * a.m * a.middle * a.n * a.inner;
    Number* y = a.y + o * a.m * a.middle * a.n * a.inner;
    for (std::int64_t s = 0; s < a.middle; ++s) {
      for (std::int64_t i0 = 0; i0 < a.m; i0 += tile) {
        for (std::int64_t j0 = 0; j0 < a.n; j0 += tile) {
          for (std::int64_t i = i0; i < a.m && i < i0 + tile; ++i) {
            for (std::int64_t j = j0; j < a.n && j < j0 + tile; ++j) {
              const Number* from = x + ((i * a.middle + s) * a.n + j) * a.inner;
              Number* to = y + ((j * a.middle + s) * a.m + i) * a.inner;
              for (std::int64_t k = 0; k < a.inner; ++k) to[k] = from[k];
            }
          }
        }
      }
    }
  }
}

}  // namespace toy

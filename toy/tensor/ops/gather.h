// Rows of a matrix by number: embeddings, and the rows of a batch that are wanted.
#pragma once

#include <algorithm>
#include <vector>

#include "toy/tensor/op.h"
#include "toy/tensor/ops/dequantize.h"

namespace toy {

/// y_t = W[ids_t]. W [N, K] of any weight type, ids [...] I32 in 0..N-1 -> y [..., K] F32 (F64 of F64).
/// Errors: an id out of range.
Tensor gather(const Tensor& W, const Tensor& ids);
/// y [N, K] with y_i = sum of x_t over all t with ids_t = i, added in their order: the gradient of gather.
/// x [..., K], ids [...].
Tensor scatter_add(const Tensor& x, const Tensor& ids, std::int64_t N);

template <class Number>
struct GatherArgsOf {
  static constexpr Op op{"gather", "y_t = W_{i_t}", true};
  const std::byte* weight;  // [N, K] in the layout `layout`
  DType dtype;
  Layout layout;
  std::int64_t N, K;
  const std::int32_t* ids;  // [T]
  Number* y;                // [T, K]
  std::int64_t T;
};
using GatherArgs = GatherArgsOf<float>;

/// On a weight in rows; exact whatever Real is.
template <class Real, class Number = float>
void gather_ref(const GatherArgsOf<Number>& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    dequantize_row(a.dtype, a.weight + a.ids[t] * bytes_of(a.dtype, a.K),
                   std::span<Number>(a.y + t * a.K, static_cast<std::size_t>(a.K)));
  }
}

template <class Number>
struct ScatterAddArgsOf {
  static constexpr Op op{"scatter_add", "y_{i_t} += x_t", false};
  const Number* x;          // [T, K]
  const std::int32_t* ids;  // [T]
  Number* y;                // [N, K], zeros
  std::int64_t T, K;
};
using ScatterAddArgs = ScatterAddArgsOf<float>;

template <class Number>
void scatter_add_ref(const ScatterAddArgsOf<Number>& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    for (std::int64_t k = 0; k < a.K; ++k) a.y[a.ids[t] * a.K + k] += a.x[t * a.K + k];
  }
}

}  // namespace toy

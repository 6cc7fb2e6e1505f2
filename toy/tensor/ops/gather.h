// Rows of a matrix by number: embeddings, and the rows of a batch that are wanted.
#pragma once

#include <algorithm>
#include <vector>

#include "toy/tensor/op.h"
#include "toy/tensor/ops/dequantize.h"

namespace toy {

/// y_t = W[ids_t]. W [N, K] of any weight type, ids [T] I32 in 0..N-1 -> y [T, K] F32.
/// Errors: an id out of range.
Tensor gather(const Tensor& W, const Tensor& ids);

struct GatherArgs {
  static constexpr Op op{"gather"};
  const std::byte* weight;  // [N, K] in the layout `layout`
  DType dtype;
  Layout layout;
  std::int64_t N, K;
  const std::int32_t* ids;  // [T]
  float* y;                 // [T, K]
  std::int64_t T;
};

/// On a weight in rows; exact whatever Real is.
template <class Real>
void gather_ref(const GatherArgs& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    dequantize_row(a.dtype, a.weight + a.ids[t] * bytes_of(a.dtype, a.K),
                   {a.y + t * a.K, static_cast<std::size_t>(a.K)});
  }
}

}  // namespace toy

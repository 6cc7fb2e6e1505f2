// Sums of columns over many rows: the gradients of biases and of the weights of norms.
#pragma once

#include "toy/tensor/device/cpu/kernels/math.h"

namespace toy::cpu::TOY_LEVEL {

/// The sums of x's columns [0, (V - 1) lanes + n), n <= lanes, over T rows that lie `stride` apart: written to y, or
/// added.
template <int V>
void sum_vectors(const float* x, std::int64_t stride, std::int64_t T, std::int64_t n, float* y, bool add) {
  vf total[V] = {};
  for (std::int64_t t0 = 0; t0 < T; t0 += 256) {
    vf sum[V] = {};
    const std::int64_t end = min(T, t0 + 256);
    for (std::int64_t t = t0; t < end; ++t) {
      unrolled<V>([&](auto v) { sum[v] += load_n(x + t * stride + v * lanes, v + 1 < V ? lanes : n); });
    }
    unrolled<V>([&](auto v) { total[v] += sum[v]; });
  }
  unrolled<V>([&](auto v) {
    const std::int64_t here = v + 1 < V ? lanes : n;
    if (add) total[v] += load_n(y + v * lanes, here);
    store_n(y + v * lanes, total[v], here);
  });
}

/// y[i] = sum over t of x[t * stride + i], i in `columns`, 256 rows at a time; or added to y.
inline void sum_columns(const float* x, std::int64_t stride, std::int64_t T, Range columns, float* y, bool add) {
  constexpr int most = 4;
  std::int64_t i = columns.begin;
  for (; i + most * lanes <= columns.end; i += most * lanes) {
    sum_vectors<most>(x + i, stride, T, lanes, y + i, add);
  }
  for (; i < columns.end; i += lanes) sum_vectors<1>(x + i, stride, T, min(lanes, columns.end - i), y + i, add);
}

}  // namespace toy::cpu::TOY_LEVEL

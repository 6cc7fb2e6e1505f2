// Logarithm of the softmax over the last axis.
#pragma once

#include <algorithm>
#include <cmath>

#include "toy/tensor/op.h"

namespace toy {

/// y = x - log(sum(exp(x))) over the last axis. x [T, V] F32 -> [T, V], natural logarithms.
Tensor log_softmax(const Tensor& x);

struct LogSoftmaxArgs {
  static constexpr Op op{"log_softmax"};
  const float* x;  // [T, V]
  float* y;        // [T, V]
  std::int64_t T, V;
};

template <class Real>
void log_softmax_ref(const LogSoftmaxArgs& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    const float* x = a.x + t * a.V;
    const Real top = static_cast<Real>(*std::max_element(x, x + a.V));
    Real sum = 0;
    for (std::int64_t i = 0; i < a.V; ++i) sum += std::exp(static_cast<Real>(x[i]) - top);
    const Real log_sum = top + std::log(sum);
    for (std::int64_t i = 0; i < a.V; ++i) a.y[t * a.V + i] = static_cast<float>(static_cast<Real>(x[i]) - log_sum);
  }
}

}  // namespace toy

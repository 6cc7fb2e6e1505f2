// Logarithm of the softmax over the last axis.
#pragma once

#include <algorithm>
#include <cmath>

#include "toy/tensor/op.h"

namespace toy {

/// y = exp(x) / sum(exp(x)) over the last axis. x [..., V], F32 or F64.
Tensor softmax(const Tensor& x);
/// y = x - log(sum(exp(x))) over the last axis. x [..., V], F32 or F64, natural logarithms.
Tensor log_softmax(const Tensor& x);

template <class Number>
struct LogSoftmaxArgsOf {
  static constexpr Op op{"log_softmax", "y = x - log(sum(exp(x)))", true};
  const Number* x;  // [T, V]
  Number* y;        // [T, V]
  std::int64_t T, V;
};
using LogSoftmaxArgs = LogSoftmaxArgsOf<float>;

template <class Real, class Number = float>
void log_softmax_ref(const LogSoftmaxArgsOf<Number>& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    const Number* x = a.x + t * a.V;
    const Real top = static_cast<Real>(*std::max_element(x, x + a.V));
    Real sum = 0;
    for (std::int64_t i = 0; i < a.V; ++i) sum += std::exp(static_cast<Real>(x[i]) - top);
    const Real log_sum = top + std::log(sum);
    for (std::int64_t i = 0; i < a.V; ++i) a.y[t * a.V + i] = static_cast<Number>(static_cast<Real>(x[i]) - log_sum);
  }
}

template <class Number>
struct SoftmaxArgsOf {
  static constexpr Op op{"softmax", "y = exp(x) / sum(exp(x))", true};
  const Number* x;  // [T, V]
  Number* y;        // [T, V]
  std::int64_t T, V;
};

template <class Number>
void softmax_ref(const SoftmaxArgsOf<Number>& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    const Number* x = a.x + t * a.V;
    const auto top = static_cast<double>(*std::max_element(x, x + a.V));
    double sum = 0;
    for (std::int64_t i = 0; i < a.V; ++i) sum += std::exp(static_cast<double>(x[i]) - top);
    for (std::int64_t i = 0; i < a.V; ++i) {
      a.y[t * a.V + i] = static_cast<Number>(std::exp(static_cast<double>(x[i]) - top) / sum);
    }
  }
}

}  // namespace toy

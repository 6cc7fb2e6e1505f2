// Convolution along the positions that looks back only.
#pragma once

#include <algorithm>
#include <array>

#include "toy/tensor/op.h"

namespace toy {

/// y[t, c] = sum_j w[c, j] x[t - (k-1) + j, c], each channel by its own taps; x is 0 before the sequence begins.
/// x [T, C], w [C, k], both F32 or both F64 -> [T, C].
Tensor causal_conv(const Tensor& x, const Tensor& w);
/// Gradients of x and w: dx[s, c] = sum_j w[c, j] dy[s + (k-1) - j, c], dw[c, j] = sum_t dy[t, c] x[t - (k-1) + j, c].
std::array<Tensor, 2> causal_conv_backward(const Tensor& x, const Tensor& w, const Tensor& dy);

template <class Number>
struct CausalConvArgsOf {
  static constexpr Op op{"causal_conv", "y_t = sum_j w_j x_{t-k+1+j}", true};
  const Number* x;  // [T, C]
  const Number* w;  // [C, k]
  Number* y;        // [T, C]
  std::int64_t T, C, k;
};

template <class Number>
struct CausalConvBackwardArgsOf {
  static constexpr Op op{"causal_conv_backward", "dx, dw of causal_conv", false};
  const Number* x;   // [T, C]
  const Number* w;   // [C, k]
  const Number* dy;  // [T, C]
  Number* dx;        // [T, C], zeros
  Number* dw;        // [C, k], zeros
  std::int64_t T, C, k;
};

template <class Number>
void causal_conv_ref(const CausalConvArgsOf<Number>& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    for (std::int64_t c = 0; c < a.C; ++c) {
      double y = 0;
      for (std::int64_t j = std::max<std::int64_t>(0, a.k - 1 - t); j < a.k; ++j) {
        y += static_cast<double>(a.w[c * a.k + j]) * static_cast<double>(a.x[(t - (a.k - 1) + j) * a.C + c]);
      }
      a.y[t * a.C + c] = static_cast<Number>(y);
    }
  }
}

template <class Number>
void causal_conv_backward_ref(const CausalConvBackwardArgsOf<Number>& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    for (std::int64_t j = std::max<std::int64_t>(0, a.k - 1 - t); j < a.k; ++j) {
      for (std::int64_t c = 0; c < a.C; ++c) {
        const std::int64_t from = (t - (a.k - 1) + j) * a.C + c;
        a.dx[from] += a.w[c * a.k + j] * a.dy[t * a.C + c];
        a.dw[c * a.k + j] += a.x[from] * a.dy[t * a.C + c];
      }
    }
  }
}

}  // namespace toy

// Normalization over the last axis.
#pragma once

#include <cmath>

#include "toy/tensor/op.h"

namespace toy {

/// y = x / sqrt(mean(x^2) + eps) * w (Zhang & Sennrich 2019, eq. 4). x [T, D], w [D] -> [T, D], all F32.
Tensor rms_norm(const Tensor& x, const Tensor& w, float eps);
/// y = (x - mean(x)) / sqrt(var(x) + eps) * w + b (Ba et al. 2016, eq. 4; biased variance). x [T, D], w, b [D].
Tensor layer_norm(const Tensor& x, const Tensor& w, const Tensor& b, float eps);

struct RmsNormArgs {
  static constexpr Op op{"rms_norm"};
  const float* x;  // [T, D]
  const float* w;  // [D]
  float* y;        // [T, D]
  std::int64_t T, D;
  float eps;
};

struct LayerNormArgs {
  static constexpr Op op{"layer_norm"};
  const float* x;  // [T, D]
  const float* w;  // [D]
  const float* b;  // [D]
  float* y;        // [T, D]
  std::int64_t T, D;
  float eps;
};

template <class Real>
void rms_norm_ref(const RmsNormArgs& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    const float* x = a.x + t * a.D;
    Real squares = 0;
    for (std::int64_t i = 0; i < a.D; ++i) squares += static_cast<Real>(x[i]) * static_cast<Real>(x[i]);
    const Real scale = Real{1} / std::sqrt(squares / static_cast<Real>(a.D) + static_cast<Real>(a.eps));
    for (std::int64_t i = 0; i < a.D; ++i) {
      a.y[t * a.D + i] = static_cast<float>(static_cast<Real>(x[i]) * scale * static_cast<Real>(a.w[i]));
    }
  }
}

template <class Real>
void layer_norm_ref(const LayerNormArgs& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    const float* x = a.x + t * a.D;
    Real mean = 0, variance = 0;
    for (std::int64_t i = 0; i < a.D; ++i) mean += static_cast<Real>(x[i]);
    mean /= static_cast<Real>(a.D);
    for (std::int64_t i = 0; i < a.D; ++i) {
      const Real centred = static_cast<Real>(x[i]) - mean;
      variance += centred * centred;
    }
    const Real scale = Real{1} / std::sqrt(variance / static_cast<Real>(a.D) + static_cast<Real>(a.eps));
    for (std::int64_t i = 0; i < a.D; ++i) {
      a.y[t * a.D + i] = static_cast<float>((static_cast<Real>(x[i]) - mean) * scale * static_cast<Real>(a.w[i]) +
                                            static_cast<Real>(a.b[i]));
    }
  }
}

}  // namespace toy

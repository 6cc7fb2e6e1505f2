// Nonlinearities of the feed-forward blocks.
#pragma once

#include <cmath>

#include "toy/tensor/op.h"

namespace toy {

/// y = g * sigmoid(g) * u (Shazeer 2020, eq. 6: SiLU of the gate times the up projection). g, u of one shape, F32.
Tensor swiglu(const Tensor& g, const Tensor& u);
/// y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks & Gimpel 2016, section 2; the tanh form). F32.
Tensor gelu(const Tensor& x);

struct SwigluArgs {
  static constexpr Op op{"swiglu"};
  const float* g;
  const float* u;
  float* y;
  std::int64_t n;
};

struct GeluArgs {
  static constexpr Op op{"gelu"};
  const float* x;
  float* y;
  std::int64_t n;
};

template <class Real>
void swiglu_ref(const SwigluArgs& a) {
  for (std::int64_t i = 0; i < a.n; ++i) {
    const Real g = static_cast<Real>(a.g[i]);
    a.y[i] = static_cast<float>(g / (Real{1} + std::exp(-g)) * static_cast<Real>(a.u[i]));
  }
}

template <class Real>
void gelu_ref(const GeluArgs& a) {
  const Real root = std::sqrt(Real{2} / static_cast<Real>(3.14159265358979323846));
  for (std::int64_t i = 0; i < a.n; ++i) {
    const Real x = static_cast<Real>(a.x[i]);
    a.y[i] = static_cast<float>(x / 2 * (1 + std::tanh(root * (x + static_cast<Real>(0.044715) * x * x * x))));
  }
}

}  // namespace toy

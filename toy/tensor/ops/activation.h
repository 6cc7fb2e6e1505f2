// Nonlinearities of the feed-forward blocks.
#pragma once

#include <array>
#include <cmath>

#include "toy/tensor/op.h"

namespace toy {

/// y = g * sigmoid(g) * u (Shazeer 2020, eq. 6: SiLU of the gate times the up projection). g, u of one shape, F32 or
/// F64.
Tensor swiglu(const Tensor& g, const Tensor& u);
/// Gradients of g and u: with s = sigmoid(g), dg = dy u s (1 + g (1 - s)), du = dy g s.
std::array<Tensor, 2> swiglu_backward(const Tensor& g, const Tensor& u, const Tensor& dy);
/// y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks & Gimpel 2016, section 2; the tanh form). F32 or F64.
Tensor gelu(const Tensor& x);
/// Gradient of x: with h = tanh(c (x + 0.044715 x^3)) and c = sqrt(2/pi),
/// dx = dy ((1 + h)/2 + x/2 (1 - h^2) c (1 + 0.134145 x^2)).
Tensor gelu_backward(const Tensor& x, const Tensor& dy);

template <class Number>
struct SwigluArgsOf {
  static constexpr Op op{"swiglu", "y = g * sigmoid(g) * u", true};
  const Number* g;
  const Number* u;
  Number* y;
  std::int64_t n;
};
using SwigluArgs = SwigluArgsOf<float>;

template <class Number>
struct GeluArgsOf {
  static constexpr Op op{"gelu", "y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))", true};
  const Number* x;
  Number* y;
  std::int64_t n;
};
using GeluArgs = GeluArgsOf<float>;

template <class Real, class Number = float>
void swiglu_ref(const SwigluArgsOf<Number>& a) {
  for (std::int64_t i = 0; i < a.n; ++i) {
    const Real g = static_cast<Real>(a.g[i]);
    a.y[i] = static_cast<Number>(g / (Real{1} + std::exp(-g)) * static_cast<Real>(a.u[i]));
  }
}

template <class Real, class Number = float>
void gelu_ref(const GeluArgsOf<Number>& a) {
  const Real root = std::sqrt(Real{2} / static_cast<Real>(3.14159265358979323846));
  for (std::int64_t i = 0; i < a.n; ++i) {
    const Real x = static_cast<Real>(a.x[i]);
    a.y[i] = static_cast<Number>(x / 2 * (1 + std::tanh(root * (x + static_cast<Real>(0.044715) * x * x * x))));
  }
}

/// dg or du may be dy itself.
template <class Number>
struct SwigluBackwardArgsOf {
  static constexpr Op op{"swiglu_backward", "dg, du of swiglu", false};
  const Number* g;
  const Number* u;
  const Number* dy;
  Number* dg;
  Number* du;
  std::int64_t n;
};
using SwigluBackwardArgs = SwigluBackwardArgsOf<float>;

/// dx may be dy itself.
template <class Number>
struct GeluBackwardArgsOf {
  static constexpr Op op{"gelu_backward", "dx of gelu", false};
  const Number* x;
  const Number* dy;
  Number* dx;
  std::int64_t n;
};
using GeluBackwardArgs = GeluBackwardArgsOf<float>;

template <class Number>
void swiglu_backward_ref(const SwigluBackwardArgsOf<Number>& a) {
  for (std::int64_t i = 0; i < a.n; ++i) {
    const auto g = static_cast<double>(a.g[i]), u = static_cast<double>(a.u[i]), dy = static_cast<double>(a.dy[i]);
    const double s = 1 / (1 + std::exp(-g));
    a.dg[i] = static_cast<Number>(dy * u * s * (1 + g * (1 - s)));
    a.du[i] = static_cast<Number>(dy * g * s);
  }
}

template <class Number>
void gelu_backward_ref(const GeluBackwardArgsOf<Number>& a) {
  const double c = std::sqrt(2 / 3.14159265358979323846);
  for (std::int64_t i = 0; i < a.n; ++i) {
    const auto x = static_cast<double>(a.x[i]);
    const double h = std::tanh(c * (x + 0.044715 * x * x * x));
    const double slope = (1 + h) / 2 + x / 2 * (1 - h * h) * c * (1 + 3 * 0.044715 * x * x);
    a.dx[i] = static_cast<Number>(static_cast<double>(a.dy[i]) * slope);
  }
}

}  // namespace toy

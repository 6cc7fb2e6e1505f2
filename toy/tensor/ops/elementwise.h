// Functions of one number, element by element.
#pragma once

#include <cmath>

#include "toy/tensor/op.h"

namespace toy {

// x of any shape, F32 or F64 -> the same shape and type.

/// y = -x
Tensor neg(const Tensor& x);
/// y = e^x
Tensor exp(const Tensor& x);
/// y = ln x
Tensor log(const Tensor& x);
/// y = x^(1/2)
Tensor sqrt(const Tensor& x);
/// y = 1 / (1 + e^-x)
Tensor sigmoid(const Tensor& x);
/// y = ln(1 + e^x)
Tensor softplus(const Tensor& x);
/// y = (e^x - e^-x) / (e^x + e^-x)
Tensor tanh(const Tensor& x);
/// y = a x + b
Tensor scale(const Tensor& x, double a, double b = 0);

/// What every function of one number takes; each op adds its name and its formula f.
template <class Number>
struct MapArgs {
  const Number* x;
  Number* y;
  std::int64_t n;
};

template <class Number>
struct NegArgsOf : MapArgs<Number> {
  static constexpr Op op{"neg", "y = -x", true};
  static double f(double x) { return -x; }
};

template <class Number>
struct ExpArgsOf : MapArgs<Number> {
  static constexpr Op op{"exp", "y = e^x", true};
  static double f(double x) { return std::exp(x); }
};

template <class Number>
struct LogArgsOf : MapArgs<Number> {
  static constexpr Op op{"log", "y = ln x", true};
  static double f(double x) { return std::log(x); }
};

template <class Number>
struct SqrtArgsOf : MapArgs<Number> {
  static constexpr Op op{"sqrt", "y = x^(1/2)", true};
  static double f(double x) { return std::sqrt(x); }
};

template <class Number>
struct SigmoidArgsOf : MapArgs<Number> {
  static constexpr Op op{"sigmoid", "y = 1 / (1 + e^-x)", true};
  static double f(double x) { return 1 / (1 + std::exp(-x)); }
};

template <class Number>
struct SoftplusArgsOf : MapArgs<Number> {
  static constexpr Op op{"softplus", "y = ln(1 + e^x)", true};
  /// For large x the sum 1 + e^x would overflow.
  static double f(double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }
};

template <class Number>
struct TanhArgsOf : MapArgs<Number> {
  static constexpr Op op{"tanh", "y = tanh(x)", true};
  static double f(double x) { return std::tanh(x); }
};

template <class Number>
struct ScaleArgsOf {
  static constexpr Op op{"scale", "y = a x + b", true};
  const Number* x;
  Number* y;
  std::int64_t n;
  double a, b;
};
using ScaleArgs = ScaleArgsOf<float>;

/// y_i = f(x_i), for every op above.
template <class Args>
void map_ref(const Args& a) {
  for (std::int64_t i = 0; i < a.n; ++i) {
    a.y[i] = static_cast<std::remove_reference_t<decltype(*a.y)>>(Args::f(static_cast<double>(a.x[i])));
  }
}

template <class Number>
void scale_ref(const ScaleArgsOf<Number>& a) {
  const auto factor = static_cast<Number>(a.a), offset = static_cast<Number>(a.b);
  for (std::int64_t i = 0; i < a.n; ++i) a.y[i] = factor * a.x[i] + offset;
}

}  // namespace toy

// Normalization over the last axis.
#pragma once

#include <array>
#include <cmath>
#include <vector>

#include "toy/tensor/op.h"

namespace toy {

/// y = x / sqrt(mean(x^2) + eps) * w (Zhang & Sennrich 2019, eq. 4). x [..., D], w [D] -> [..., D], all
/// F32 or all F64.
Tensor rms_norm(const Tensor& x, const Tensor& w, float eps);
/// Gradients of x and w: with r = 1 / sqrt(mean(x^2) + eps) and g = dy * w,
/// dx = r (g - x r^2 mean(g x)), dw = sum over rows of dy x r. The reference is the formula; w's rows add up in order.
std::array<Tensor, 2> rms_norm_backward(const Tensor& x, const Tensor& w, const Tensor& dy, float eps);
/// y = (x - mean(x)) / sqrt(var(x) + eps) * w + b (Ba et al. 2016, eq. 4; biased variance).
/// x [..., D], w, b [D] -> [..., D].
Tensor layer_norm(const Tensor& x, const Tensor& w, const Tensor& b, float eps);
/// Gradients of x, w and b: with k = 1 / sqrt(var(x) + eps), n = (x - mean(x)) k and g = dy * w,
/// dx = k (g - mean(g) - n mean(g n)), dw = sum of dy n, db = sum of dy.
std::array<Tensor, 3> layer_norm_backward(const Tensor& x, const Tensor& w, const Tensor& dy, float eps);
/// y = x / sqrt(sum(x^2) + eps) over the last axis.
Tensor l2_norm(const Tensor& x, float eps);

template <class Number>
struct RmsNormArgsOf {
  static constexpr Op op{"rms_norm", "y = x / sqrt(mean(x^2) + eps) * w", true};
  const Number* x;  // [T, D]
  const Number* w;  // [D]
  Number* y;        // [T, D]
  std::int64_t T, D;
  float eps;
};
using RmsNormArgs = RmsNormArgsOf<float>;

template <class Number>
struct LayerNormArgsOf {
  static constexpr Op op{"layer_norm", "y = (x - mean(x)) / sqrt(var(x) + eps) * w + b", true};
  const Number* x;  // [T, D]
  const Number* w;  // [D]
  const Number* b;  // [D]
  Number* y;        // [T, D]
  std::int64_t T, D;
  float eps;
};
using LayerNormArgs = LayerNormArgsOf<float>;

template <class Real, class Number = float>
void rms_norm_ref(const RmsNormArgsOf<Number>& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    const Number* x = a.x + t * a.D;
    Real squares = 0;
    for (std::int64_t i = 0; i < a.D; ++i) squares += static_cast<Real>(x[i]) * static_cast<Real>(x[i]);
    const Real scale = Real{1} / std::sqrt(squares / static_cast<Real>(a.D) + static_cast<Real>(a.eps));
    for (std::int64_t i = 0; i < a.D; ++i) {
      a.y[t * a.D + i] = static_cast<Number>(static_cast<Real>(x[i]) * scale * static_cast<Real>(a.w[i]));
    }
  }
}

template <class Real, class Number = float>
void layer_norm_ref(const LayerNormArgsOf<Number>& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    const Number* x = a.x + t * a.D;
    Real mean = 0, variance = 0;
    for (std::int64_t i = 0; i < a.D; ++i) mean += static_cast<Real>(x[i]);
    mean /= static_cast<Real>(a.D);
    for (std::int64_t i = 0; i < a.D; ++i) {
      const Real centred = static_cast<Real>(x[i]) - mean;
      variance += centred * centred;
    }
    const Real scale = Real{1} / std::sqrt(variance / static_cast<Real>(a.D) + static_cast<Real>(a.eps));
    for (std::int64_t i = 0; i < a.D; ++i) {
      a.y[t * a.D + i] = static_cast<Number>((static_cast<Real>(x[i]) - mean) * scale * static_cast<Real>(a.w[i]) +
                                             static_cast<Real>(a.b[i]));
    }
  }
}

template <class Number>
struct L2NormArgsOf {
  static constexpr Op op{"l2_norm", "y = x / sqrt(sum(x^2) + eps)", true};
  const Number* x;  // [T, D]
  Number* y;        // [T, D]
  std::int64_t T, D;
  float eps;
};

/// Rows whose parts of dw and db are summed together, and how many such blocks T rows have.
inline constexpr std::int64_t norm_rows = 64;
constexpr std::int64_t norm_blocks(std::int64_t T) { return (T + norm_rows - 1) / norm_rows; }

template <class Number>
struct RmsNormBackwardArgsOf {
  static constexpr Op op{"rms_norm_backward", "dx, dw of rms_norm", false};
  const Number* x;   // [T, D]
  const Number* w;   // [D]
  const Number* dy;  // [T, D]
  Number* dx;        // [T, D]
  Number* dw;        // [D]
  std::int64_t T, D;
  float eps;
  Number* scratch;  // [norm_blocks(T), D]
};
using RmsNormBackwardArgs = RmsNormBackwardArgsOf<float>;

template <class Number>
struct LayerNormBackwardArgsOf {
  static constexpr Op op{"layer_norm_backward", "dx, dw, db of layer_norm", false};
  const Number* x;   // [T, D]
  const Number* w;   // [D]
  const Number* dy;  // [T, D]
  Number* dx;        // [T, D]
  Number* dw;        // [D]
  Number* db;        // [D]
  std::int64_t T, D;
  float eps;
  Number* scratch;  // [norm_blocks(T), 2 D]
};
using LayerNormBackwardArgs = LayerNormBackwardArgsOf<float>;

template <class Number>
void l2_norm_ref(const L2NormArgsOf<Number>& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    const Number* x = a.x + t * a.D;
    double squares = 0;
    for (std::int64_t i = 0; i < a.D; ++i) squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    const double k = 1 / std::sqrt(squares + static_cast<double>(a.eps));
    for (std::int64_t i = 0; i < a.D; ++i) a.y[t * a.D + i] = static_cast<Number>(static_cast<double>(x[i]) * k);
  }
}

template <class Number>
void rms_norm_backward_ref(const RmsNormBackwardArgsOf<Number>& a) {
  std::vector<double> dw(static_cast<std::size_t>(a.D));
  for (std::int64_t t = 0; t < a.T; ++t) {
    const Number* x = a.x + t * a.D;
    const Number* dy = a.dy + t * a.D;
    double squares = 0, gx = 0;
    for (std::int64_t i = 0; i < a.D; ++i) {
      squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      gx += static_cast<double>(dy[i]) * static_cast<double>(a.w[i]) * static_cast<double>(x[i]);
    }
    const double r = 1 / std::sqrt(squares / static_cast<double>(a.D) + static_cast<double>(a.eps));
    const double mean = gx / static_cast<double>(a.D);
    for (std::int64_t i = 0; i < a.D; ++i) {
      const double g = static_cast<double>(dy[i]) * static_cast<double>(a.w[i]);
      a.dx[t * a.D + i] = static_cast<Number>(r * (g - static_cast<double>(x[i]) * r * r * mean));
      dw[static_cast<std::size_t>(i)] += static_cast<double>(dy[i]) * static_cast<double>(x[i]) * r;
    }
  }
  for (std::int64_t i = 0; i < a.D; ++i) a.dw[i] = static_cast<Number>(dw[static_cast<std::size_t>(i)]);
}

template <class Number>
void layer_norm_backward_ref(const LayerNormBackwardArgsOf<Number>& a) {
  const auto D = static_cast<double>(a.D);
  std::vector<double> dw(static_cast<std::size_t>(a.D)), db(dw), n(dw);
  for (std::int64_t t = 0; t < a.T; ++t) {
    const Number* x = a.x + t * a.D;
    const Number* dy = a.dy + t * a.D;
    double mean = 0, variance = 0, mean_g = 0, mean_gn = 0;
    for (std::int64_t i = 0; i < a.D; ++i) mean += static_cast<double>(x[i]) / D;
    for (std::int64_t i = 0; i < a.D; ++i) {
      const double centred = static_cast<double>(x[i]) - mean;
      variance += centred * centred / D;
    }
    const double k = 1 / std::sqrt(variance + static_cast<double>(a.eps));
    for (std::int64_t i = 0; i < a.D; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double g = static_cast<double>(dy[i]) * static_cast<double>(a.w[i]);
      n[at] = (static_cast<double>(x[i]) - mean) * k;
      mean_g += g / D;
      mean_gn += g * n[at] / D;
      dw[at] += static_cast<double>(dy[i]) * n[at];
      db[at] += static_cast<double>(dy[i]);
    }
    for (std::int64_t i = 0; i < a.D; ++i) {
      const double g = static_cast<double>(dy[i]) * static_cast<double>(a.w[i]);
      a.dx[t * a.D + i] = static_cast<Number>(k * (g - mean_g - n[static_cast<std::size_t>(i)] * mean_gn));
    }
  }
  for (std::int64_t i = 0; i < a.D; ++i) {
    a.dw[i] = static_cast<Number>(dw[static_cast<std::size_t>(i)]);
    a.db[i] = static_cast<Number>(db[static_cast<std::size_t>(i)]);
  }
}

}  // namespace toy

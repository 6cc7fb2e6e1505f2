// Sums and means.
#pragma once

#include "toy/tensor/op.h"

namespace toy {

/// Sum of all elements, a scalar {}. x F32 or F64; summed in double, first element first.
Tensor sum(const Tensor& x);
/// Sum along one axis, whose length becomes 1.
Tensor sum(const Tensor& x, int axis);
/// sum / number of elements.
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, int axis);
/// The sum over what broadcast_to repeats: x of the larger shape -> `shape`.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// Sums of squares of squares_block elements each, in their order: y [ceil(n / squares_block)] F64.
Tensor squares(const Tensor& x);

inline constexpr std::int64_t squares_block = 4096;
constexpr std::int64_t squares_blocks(std::int64_t n) { return (n + squares_block - 1) / squares_block; }

template <class Number>
struct SquaresArgsOf {
  static constexpr Op op{"squares", "y_b = sum(x^2) of block b", false};
  const Number* x;
  double* sums;  // [squares_blocks(n)]
  std::int64_t n;
};
using SquaresArgs = SquaresArgsOf<float>;

template <class Number>
void squares_ref(const SquaresArgsOf<Number>& a) {
  for (std::int64_t b = 0; b < squares_blocks(a.n); ++b) {
    double sum = 0;
    for (std::int64_t i = b * squares_block; i < a.n && i < (b + 1) * squares_block; ++i) {
      sum += static_cast<double>(a.x[i]) * static_cast<double>(a.x[i]);
    }
    a.sums[b] = sum;
  }
}

/// x [outer, n, inner] -> y [outer, inner], times factor.
template <class Number>
struct SumArgsOf {
  static constexpr Op op{"sum", "y = sum(x)", true};
  const Number* x;
  Number* y;
  std::int64_t outer, n, inner;
};

template <class Number>
struct MeanArgsOf : SumArgsOf<Number> {
  static constexpr Op op{"mean", "y = sum(x) / n", true};
};

template <class Number>
struct SumToArgsOf {
  static constexpr Op op{"sum_to", "y = sum(x) over repeated axes", true};
  const Number* x;
  Number* y;
  std::array<std::int64_t, Shape::max_rank> lengths;  // of x, with leading ones
  std::array<std::int64_t, Shape::max_rank> strides;  // of y in elements; 0 where it is summed
  std::int64_t n;                                     // elements of y
};

template <class Number>
void sum_ref(const SumArgsOf<Number>& a, double factor = 1) {
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (std::int64_t i = 0; i < a.inner; ++i) {
      double s = 0;
      for (std::int64_t k = 0; k < a.n; ++k) s += static_cast<double>(a.x[(o * a.n + k) * a.inner + i]);
      a.y[o * a.inner + i] = static_cast<Number>(s * factor);
    }
  }
}

template <class Number>
void mean_ref(const MeanArgsOf<Number>& a) {
  sum_ref(a, 1 / static_cast<double>(a.n));
}

template <class Number>
void sum_to_ref(const SumToArgsOf<Number>& a) {
  std::vector<double> y(static_cast<std::size_t>(a.n));
  const Number* x = a.x;
  for (std::int64_t i = 0; i < a.lengths[0]; ++i) {
    for (std::int64_t j = 0; j < a.lengths[1]; ++j) {
      for (std::int64_t k = 0; k < a.lengths[2]; ++k) {
        double* to = y.data() + i * a.strides[0] + j * a.strides[1] + k * a.strides[2];
        for (std::int64_t l = 0; l < a.lengths[3]; ++l) to[l * a.strides[3]] += static_cast<double>(*x++);
      }
    }
  }
  for (std::int64_t i = 0; i < a.n; ++i) a.y[i] = static_cast<Number>(y[static_cast<std::size_t>(i)]);
}

}  // namespace toy

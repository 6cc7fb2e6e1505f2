// Linear maps: y = x W^T + b, several weights at once.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "toy/tensor/op.h"
#include "toy/tensor/ops/dequantize.h"

namespace toy {

/// One weight of a linear op: W [N, K] of any weight type, b [N] F32 or absent.
struct LinearWeight {
  const Tensor* weight;
  const Tensor* bias;
};

/// y_i = x W_i^T + b_i for weights that share their input.
/// x [..., K] F32, W_i [N_i, K], b_i [N_i] -> y_i [..., N_i] F32; or all F64. Errors: widths that differ.
/// A block weight has no gradient of its own.
/// Block weights (Q8_0, Q4_0, Q6_K) multiply x rounded to int8 in blocks of 32; every other type multiplies in f32.
/// Each y[t, n] takes k = 0..K-1 in order, whatever T is; with Tape::Options::precision bf16, in pairs (k, k + 1).
std::vector<Tensor> linear(const Tensor& x, std::span<const LinearWeight> weights);
/// The same for one weight.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

/// Gradients of linear, {dx, dW_0, db_0, dW_1, db_1, ...}, each where its input requires one: dx = sum_i dy_i W_i,
/// dW_i = dy_i^T x, db_i = sum of dy_i's rows. A dy_i may be empty; a block weight is dequantized for dx. A dW_i or
/// db_i that the tape could add to its sum at once is empty.
std::vector<Tensor> linear_backward(const Tensor& x, std::span<const LinearWeight> weights, std::span<const Tensor> dy,
                                    Precision precision = Precision::f32);

/// Arguments of the kernel.
template <class Number>
struct LinearArgsOf {
  static constexpr Op op{"linear", "y = x W^T + b", true};
  static constexpr int max_weights = 4;
  struct Output {
    const std::byte* weight;  // [N, K] in the layout `layout`
    DType dtype;
    Layout layout;
    std::int64_t N;
    const Number* bias;  // [N] or null
    Number* y;           // [T, N]
  };
  const Number* x;  // [T, K]
  std::int64_t T, K;
  int count;
  std::array<Output, max_weights> outputs;
  std::byte* scratch;  // linear_scratch(T, K) bytes, for x rounded to int8; null when no weight has blocks
  Number* panels;      // linear_panels(N, K) for each weight in rows of F32, to be multiplied fast; or null
  Precision precision = Precision::f32;  // with weights in rows of F32
  bool packed = false;                   // panels hold the weights already, from an equal call
};
using LinearArgs = LinearArgsOf<float>;

/// Bytes for x [T, K] as int8 with one F32 scale per 32 elements.
constexpr std::int64_t linear_scratch(std::int64_t T, std::int64_t K) { return T * (K + K / 32 * 4); }

/// Numbers in which one factor [K, N] of a product can be packed on any level: rows in panels of 32, and bfloats, two
/// in place of a float, filled up to 32 of them.
inline constexpr std::int64_t linear_panel_least = 16;
constexpr std::int64_t linear_panels(std::int64_t N, std::int64_t K) {
  return (N + 31) / 32 * 32 * std::max(K, linear_panel_least);
}

/// A factor of a product in the precision of its call.
template <class Number>
Number rounded(Number x, Precision precision) {
  if constexpr (std::is_same_v<Number, float>) {
    if (precision == Precision::bf16) return bfloat_to_float(float_to_bfloat(x));
  }
  return x;
}

/// The formula on weights in rows, dequantized exactly; documentation and oracle. Real: float or double.
template <class Real, class Number = float>
void linear_ref(const LinearArgsOf<Number>& a) {
  std::vector<Number> row(static_cast<std::size_t>(a.K));
  for (const auto& out : std::span(a.outputs).first(static_cast<std::size_t>(a.count))) {
    for (std::int64_t n = 0; n < out.N; ++n) {
      dequantize_row(out.dtype, out.weight + n * bytes_of(out.dtype, a.K), std::span<Number>(row));
      for (std::int64_t t = 0; t < a.T; ++t) {
        Real y = 0;
        for (std::int64_t k = 0; k < a.K; ++k) {
          y += static_cast<Real>(rounded(a.x[t * a.K + k], a.precision)) *
               static_cast<Real>(rounded(row[static_cast<std::size_t>(k)], a.precision));
        }
        if (out.bias != nullptr) y += static_cast<Real>(out.bias[n]);
        out.y[t * out.N + n] = static_cast<Number>(y);
      }
    }
  }
}

template <class Number>
struct LinearBackwardArgsOf {
  static constexpr Op op{"linear_backward", "dx, dW, db of linear", false};
  struct Output {
    const Number* weight;  // [N, K] in rows
    const Number* dy;      // [T, N]
    std::int64_t N;
    Number* dW;           // [N, K] or null
    Number* db;           // [N] or null
    bool add_dW, add_db;  // to what is there
  };
  const Number* x;  // [T, K]
  Number* dx;       // [T, K] or null
  std::int64_t T, K;
  int count;
  std::array<Output, LinearArgs::max_weights> outputs;
  Number* scratch;  // linear_backward_scratch numbers
  Precision precision = Precision::f32;
  bool packed = false;  // scratch holds the weights already, from an equal call with as many rows or more
};
using LinearBackwardArgs = LinearBackwardArgsOf<float>;

/// Whether dW = dy^T x is summed over two halves of the rows, which are added at the end: a thread then reads the rows
/// that it wrote itself. By the shape alone, as it changes bytes; N outputs in all.
constexpr bool sums_in_halves(std::int64_t T, std::int64_t K, std::int64_t N) {
  return T * (N + K) >= 4 * N * K && T >= 64;
}

/// Numbers for x [T, K] and `count` weights of N outputs in all, packed; each weight of at least linear_panel_least.
constexpr std::int64_t linear_backward_panels(std::int64_t T, std::int64_t K, std::int64_t N, std::int64_t count) {
  return linear_panels(K, T) + linear_panels(K, N + count * (linear_panel_least - 1));
}

/// Numbers that the kernel wants beside x [T, K], for `count` weights of N outputs in all.
constexpr std::int64_t linear_backward_scratch(std::int64_t T, std::int64_t K, std::int64_t N, std::int64_t count) {
  return linear_backward_panels(T, K, N, count) + (sums_in_halves(T, K, N) ? N * (K + 1) : 0);
}

template <class Number>
void linear_backward_ref(const LinearBackwardArgsOf<Number>& a) {
  std::vector<double> sums(static_cast<std::size_t>(a.K));
  const auto factor = [&](Number x) { return static_cast<double>(rounded(x, a.precision)); };
  const auto put = [](Number& to, double x, bool add) {
    to = static_cast<Number>(add ? static_cast<double>(to) + x : x);
  };
  for (std::int64_t t = 0; t < a.T && a.dx != nullptr; ++t) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (const auto& out : std::span(a.outputs).first(static_cast<std::size_t>(a.count))) {
      for (std::int64_t n = 0; n < out.N; ++n) {
        const double dy = factor(out.dy[t * out.N + n]);
        for (std::int64_t k = 0; k < a.K; ++k) {
          sums[static_cast<std::size_t>(k)] += dy * factor(out.weight[n * a.K + k]);
        }
      }
    }
    for (std::int64_t k = 0; k < a.K; ++k) put(a.dx[t * a.K + k], sums[static_cast<std::size_t>(k)], false);
  }
  for (const auto& out : std::span(a.outputs).first(static_cast<std::size_t>(a.count))) {
    for (std::int64_t n = 0; n < out.N; ++n) {
      std::fill(sums.begin(), sums.end(), 0.0);
      double bias = 0;
      for (std::int64_t t = 0; t < a.T; ++t) {
        const double dy = factor(out.dy[t * out.N + n]);
        bias += static_cast<double>(out.dy[t * out.N + n]);
        for (std::int64_t k = 0; k < a.K && out.dW != nullptr; ++k) {
          sums[static_cast<std::size_t>(k)] += dy * factor(a.x[t * a.K + k]);
        }
      }
      if (out.db != nullptr) put(out.db[n], bias, out.add_db);
      for (std::int64_t k = 0; k < a.K && out.dW != nullptr; ++k) {
        put(out.dW[n * a.K + k], sums[static_cast<std::size_t>(k)], out.add_dW);
      }
    }
  }
}

}  // namespace toy

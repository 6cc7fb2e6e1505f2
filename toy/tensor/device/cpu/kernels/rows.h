// Kernels that work element by element or row by row.
#pragma once

#include "toy/tensor/device/cpu/kernels/math.h"
#include "toy/tensor/device/cpu/kernels/pieces.h"
#include "toy/tensor/ops/activation.h"
#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/norm.h"
#include "toy/tensor/ops/rope.h"
#include "toy/tensor/ops/softmax.h"

namespace toy::cpu::TOY_LEVEL {

/// Below this many elements a parallel region costs more than it saves.
inline constexpr std::int64_t worth_a_region = 16384;

inline int threads_for(const Team& team, std::int64_t elements) {
  return elements < worth_a_region ? 1 : team.threads();
}

/// Calls f(i, n) for the n <= lanes elements from i on.
template <class F>
void for_vectors(std::int64_t size, const Team& team, const F& f) {
  constexpr std::int64_t chunk = 4096;
  for_pieces(team, threads_for(team, size), (size + chunk - 1) / chunk, [&](std::int64_t piece) {
    std::int64_t i = piece * chunk;
    const std::int64_t end = min(size, i + chunk);
    for (; i + lanes <= end; i += lanes) f(i, std::int64_t{lanes});
    if (i < end) f(i, end - i);
  });
}

/// y_i = f(i, n): f maps the vector of n <= lanes elements from i on.
template <class F>
void for_elements(std::int64_t n, float* y, const Team& team, const F& f) {
  for_vectors(n, team, [&](std::int64_t i, std::int64_t here) { store_n(y + i, f(i, here), here); });
}

/// Calls f(row) for rows [0, T) of `width` elements.
template <class F>
void for_rows(std::int64_t T, std::int64_t width, const Team& team, const F& f) {
  const int threads = T > 1 ? threads_for(team, T * width) : 1;
  for_ranges(team, threads, T, [&](Range rows) {
    for (std::int64_t t = rows.begin; t < rows.end; ++t) f(t);
  });
}

inline void add(const AddArgs& a, const Team& team) {
  for_elements(a.n, a.y, team, [&](std::int64_t i, std::int64_t n) { return load_n(a.a + i, n) + load_n(a.b + i, n); });
}

inline void swiglu(const SwigluArgs& a, const Team& team) {
  for_elements(a.n, a.y, team,
               [&](std::int64_t i, std::int64_t n) { return silu(load_n(a.g + i, n)) * load_n(a.u + i, n); });
}

/// e^(-2 u) with gelu's u = sqrt(2/pi) (x + 0.044715 x^3): gelu is x / (1 + e^(-2 u)), as (1 + tanh u) / 2 is the
/// sigmoid of 2 u.
inline constexpr float gelu_linear = -1.5957691216057308f, gelu_cubic = gelu_linear * 0.044715f;
inline vf gelu_power(vf x, vf squares) { return exp(x * fma(broadcast(gelu_cubic), squares, broadcast(gelu_linear))); }

inline void gelu(const GeluArgs& a, const Team& team) {
  for_elements(a.n, a.y, team, [&](std::int64_t i, std::int64_t n) {
    const vf x = load_n(a.x + i, n);
    return x / (broadcast(1.0f) + gelu_power(x, x * x));
  });
}

/// sum over i of f(vector at i); four running sums, added in a fixed order. Missing lanes are loaded as `rest`.
template <class F>
float sum_row(const float* x, std::int64_t n, float rest, const F& f) {
  vf s[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (int j = 0; j < 4; ++j) s[j] += f(load(x + i + j * lanes));
  }
  for (; i + lanes <= n; i += lanes) s[0] += f(load(x + i));
  if (i < n) s[1] += f(load_part(x + i, n - i, rest));
  return sum((s[0] + s[1]) + (s[2] + s[3]));
}

inline void rms_norm(const RmsNormArgs& a, const Team& team) {
  for_rows(a.T, a.D, team, [&](std::int64_t t) {
    const float* x = a.x + t * a.D;
    float* y = a.y + t * a.D;
    const float squares = sum_row(x, a.D, 0, [](vf v) { return v * v; });
    const float scale = 1.0f / __builtin_sqrtf(squares / static_cast<float>(a.D) + a.eps);
    std::int64_t i = 0;
    for (; i + lanes <= a.D; i += lanes) store(y + i, load(x + i) * broadcast(scale) * load(a.w + i));
    for (; i < a.D; ++i) y[i] = x[i] * scale * a.w[i];
  });
}

inline void layer_norm(const LayerNormArgs& a, const Team& team) {
  for_rows(a.T, a.D, team, [&](std::int64_t t) {
    const float* x = a.x + t * a.D;
    float* y = a.y + t * a.D;
    const float mean = sum_row(x, a.D, 0, [](vf v) { return v; }) / static_cast<float>(a.D);
    const vf m = broadcast(mean);
    const float squares = sum_row(x, a.D, mean, [&](vf v) { return (v - m) * (v - m); });
    const float scale = 1.0f / __builtin_sqrtf(squares / static_cast<float>(a.D) + a.eps);
    for (std::int64_t i = 0; i < a.D; ++i) y[i] = (x[i] - mean) * scale * a.w[i] + a.b[i];
  });
}

inline void rope(const RopeArgs& a, const Team& team) {
  const std::int64_t half = a.R / 2;
  for_rows(a.T * a.heads, a.d, team, [&](std::int64_t row) {
    const float* x = a.x + row * a.d;
    float* y = a.y + row * a.d;
    const float* c = a.angles + row / a.heads * a.R;
    const float* s = c + half;
    const float turn = a.back ? -1.0f : 1.0f;
    if (a.pairing == Pairing::interleaved) {
      for (std::int64_t i = 0; i < half; ++i) {
        const float u = x[2 * i], v = x[2 * i + 1];
        y[2 * i] = u * c[i] - v * (turn * s[i]);
        y[2 * i + 1] = u * (turn * s[i]) + v * c[i];
      }
    } else {
      for (std::int64_t i = 0; i < half; ++i) {
        const float u = x[i], v = x[i + half];
        y[i] = u * c[i] - v * (turn * s[i]);
        y[i + half] = u * (turn * s[i]) + v * c[i];
      }
    }
    for (std::int64_t i = a.R; i < a.d; ++i) y[i] = x[i];
  });
}

inline void log_softmax(const LogSoftmaxArgs& a, const Team& team) {
  for_rows(a.T, a.V, team, [&](std::int64_t t) {
    const float* x = a.x + t * a.V;
    vf top = broadcast(x[0]);
    std::int64_t i = 0;
    for (; i + lanes <= a.V; i += lanes) top = max(top, load(x + i));
    float highest = largest(top);
    for (; i < a.V; ++i) highest = x[i] > highest ? x[i] : highest;
    const vf m = broadcast(highest);
    // 512 terms at a time in float, the totals in double: large vocabularies keep their digits.
    double total = 0;
    for (std::int64_t b = 0; b < a.V; b += 512) {
      const std::int64_t n = min(512, a.V - b);
      float part[lanes];
      std::int64_t k = n - n % lanes;
      total += static_cast<double>(sum_row(x + b, k, 0, [&](vf v) { return exp(v - m); }));
      if (k < n) {
        store(part, exp(load_part(x + b + k, n - k) - m));
        for (std::int64_t j = 0; j < n - k; ++j) total += static_cast<double>(part[j]);
      }
    }
    const auto log_sum = static_cast<float>(static_cast<double>(highest) + __builtin_log(total));
    for (std::int64_t j = 0; j < a.V; ++j) a.y[t * a.V + j] = x[j] - log_sum;
  });
}

}  // namespace toy::cpu::TOY_LEVEL

// Gradients that work element by element or row by row, the loss, and the updates of parameters.
#pragma once

#include "toy/tensor/device/cpu/kernels/column_sums.h"
#include "toy/tensor/device/cpu/kernels/rows.h"
#include "toy/tensor/ops/cross_entropy.h"
#include "toy/tensor/ops/elementwise.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/reduce.h"
#include "toy/tensor/ops/update.h"

namespace toy::cpu::TOY_LEVEL {

inline void swiglu_backward(const SwigluBackwardArgs& a, const Team& team) {
  for_vectors(a.n, team, [&](std::int64_t i, std::int64_t n) {
    const vf g = load_n(a.g + i, n), u = load_n(a.u + i, n), dy = load_n(a.dy + i, n), one = broadcast(1.0f);
    const vf s = one / (one + exp(-g));
    store_n(a.dg + i, dy * u * s * (one + g * (one - s)), n);
    store_n(a.du + i, dy * g * s, n);
  });
}

/// With s = 1 / (1 + e^(-2 u)), the slope is s + x s (1 - s) 2 u'.
inline void gelu_backward(const GeluBackwardArgs& a, const Team& team) {
  const vf linear = broadcast(gelu_linear), cubic = broadcast(3 * gelu_cubic), one = broadcast(1.0f);
  for_vectors(a.n, team, [&](std::int64_t i, std::int64_t n) {
    const vf x = load_n(a.x + i, n), squares = x * x, s = one / (one + gelu_power(x, squares));
    const vf slope = s - x * s * (one - s) * fma(cubic, squares, linear);
    store_n(a.dx + i, load_n(a.dy + i, n) * slope, n);
  });
}

inline void scale(const ScaleArgs& a, const Team& team) {
  const vf factor = broadcast(static_cast<float>(a.a)), shift = broadcast(static_cast<float>(a.b));
  for_elements(a.n, a.y, team, [&](std::int64_t i, std::int64_t n) { return load_n(a.x + i, n) * factor + shift; });
}

/// Two sums over a row: of f(i, n) and of g(i, n), vectors from i on; lanes beyond n must come out as zeros.
struct TwoSums {
  float first, second;
};
template <class F>
TwoSums sum_two(std::int64_t size, const F& f) {
  vf s[2] = {}, t[2] = {};
  std::int64_t i = 0;
  for (; i + 2 * lanes <= size; i += 2 * lanes) {
    f(i, std::int64_t{lanes}, s[0], t[0]);
    f(i + lanes, std::int64_t{lanes}, s[1], t[1]);
  }
  for (; i < size; i += lanes) f(i, min(lanes, size - i), s[0], t[0]);
  return {sum(s[0] + s[1]), sum(t[0] + t[1])};
}

/// Row of dx, and the row's part of dw. partial [D].
inline void rms_norm_backward_row(const RmsNormBackwardArgs& a, std::int64_t t, float* partial) {
  const float *x = a.x + t * a.D, *dy = a.dy + t * a.D;
  const auto [squares, gx] = sum_two(a.D, [&](std::int64_t i, std::int64_t n, vf& s, vf& g) {
    const vf v = load_n(x + i, n);
    s = fma(v, v, s);
    g = fma(load_n(dy + i, n) * load_n(a.w + i, n), v, g);
  });
  const float r = 1.0f / __builtin_sqrtf(squares / static_cast<float>(a.D) + a.eps);
  const vf scale = broadcast(r), pull = broadcast(r * r * (gx / static_cast<float>(a.D)));
  for (std::int64_t i = 0; i < a.D; i += lanes) {
    const std::int64_t n = min(lanes, a.D - i);
    const vf v = load_n(x + i, n), g = load_n(dy + i, n);
    store_n(a.dx + t * a.D + i, scale * (g * load_n(a.w + i, n) - v * pull), n);
    store_n(partial + i, fma(g * v, scale, load_n(partial + i, n)), n);
  }
}

/// Calls f(row, its sums) for all rows. Each norm_rows rows have sums of their own in `sums` [blocks][width], whoever
/// computes them.
template <class F>
void for_row_blocks(std::int64_t T, std::int64_t width, float* sums, const Team& team, const F& f) {
  for_pieces(team, threads_for(team, T * width), norm_blocks(T), [&](std::int64_t b) {
    float* mine = sums + b * width;
    __builtin_memset(mine, 0, static_cast<std::size_t>(4 * width));
    for (std::int64_t t = b * norm_rows; t < min(T, (b + 1) * norm_rows); ++t) f(t, mine);
  });
}

inline void rms_norm_backward(const RmsNormBackwardArgs& a, const Team& team) {
  for_row_blocks(a.T, a.D, a.scratch, team, [&](std::int64_t t, float* sums) { rms_norm_backward_row(a, t, sums); });
  sum_columns(a.scratch, a.D, norm_blocks(a.T), {0, a.D}, a.dw, false);
}

/// Row of dx, and the row's parts of dw and db. sums [2][D].
inline void layer_norm_backward_row(const LayerNormBackwardArgs& a, std::int64_t t, float* sums) {
  const float *x = a.x + t * a.D, *dy = a.dy + t * a.D, D = static_cast<float>(a.D);
  const float mean = sum_row(x, a.D, 0, [](vf v) { return v; }) / D;
  const vf m = broadcast(mean);
  const float squares = sum_row(x, a.D, mean, [&](vf v) { return (v - m) * (v - m); });
  const float k = 1.0f / __builtin_sqrtf(squares / D + a.eps);
  const vf scale = broadcast(k);
  const auto [g_sum, gn_sum] = sum_two(a.D, [&](std::int64_t i, std::int64_t n, vf& s, vf& sn) {
    const vf g = load_n(dy + i, n) * load_n(a.w + i, n);
    s += g;
    sn = fma(g, (load_n(x + i, n) - m) * scale, sn);
  });
  const vf mean_g = broadcast(g_sum / D), mean_gn = broadcast(gn_sum / D);
  for (std::int64_t i = 0; i < a.D; i += lanes) {
    const std::int64_t n = min(lanes, a.D - i);
    const vf normal = (load_n(x + i, n) - m) * scale, g = load_n(dy + i, n);
    store_n(a.dx + t * a.D + i, scale * (g * load_n(a.w + i, n) - mean_g - normal * mean_gn), n);
    store_n(sums + i, fma(g, normal, load_n(sums + i, n)), n);
    store_n(sums + a.D + i, load_n(sums + a.D + i, n) + g, n);
  }
}

inline void layer_norm_backward(const LayerNormBackwardArgs& a, const Team& team) {
  for_row_blocks(a.T, 2 * a.D, a.scratch, team,
                 [&](std::int64_t t, float* sums) { layer_norm_backward_row(a, t, sums); });
  sum_columns(a.scratch, 2 * a.D, norm_blocks(a.T), {0, a.D}, a.dw, false);
  sum_columns(a.scratch + a.D, 2 * a.D, norm_blocks(a.T), {0, a.D}, a.db, false);
}

inline float largest_of(const float* x, std::int64_t n) {
  vf top = broadcast(x[0]);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) top = max(top, load(x + i));
  if (i < n) top = max(top, load_part(x + i, n - i, x[0]));
  return largest(top);
}

/// z <- e^(z - top); their sum: 512 terms at a time in float, the totals in double.
inline double exponentials(float* z, std::int64_t size, float top) {
  const vf m = broadcast(top);
  double total = 0;
  for (std::int64_t begin = 0; begin < size; begin += 512) {
    const std::int64_t end = min(size, begin + 512);
    vf sums[2] = {};
    std::int64_t i = begin;
    for (int j = 0; i + lanes <= end; i += lanes, j ^= 1) {
      const vf e = exp(load(z + i) - m);
      store(z + i, e);
      sums[j] += e;
    }
    double rest = 0;
    if (i < end) {
      store_part(z + i, exp(load_part(z + i, end - i, top) - m), end - i);
      for (; i < end; ++i) rest += static_cast<double>(z[i]);
    }
    total += static_cast<double>(sum(sums[0] + sums[1])) + rest;
  }
  return total;
}

inline void cross_entropy(const CrossEntropyArgs& a, const Team& team) {
  for_rows(a.T, a.V, team, [&](std::int64_t t) {
    float* z = a.z + t * a.V;
    const std::int32_t target = a.targets[t];
    a.losses[t] = 0;
    if (target < 0) {
      if (a.gradient) __builtin_memset(z, 0, static_cast<std::size_t>(4 * a.V));
      return;
    }
    const float top = largest_of(z, a.V), wanted = z[target];
    const double total = exponentials(z, a.V, top);
    a.losses[t] = static_cast<double>(top) + __builtin_log(total) - static_cast<double>(wanted);
    if (!a.gradient) return;
    const auto p = static_cast<float>(static_cast<double>(z[target]) / total - 1.0);
    const vf factor = broadcast(static_cast<float>(a.weight / total));
    for (std::int64_t i = 0; i < a.V; i += lanes) {
      const std::int64_t n = min(lanes, a.V - i);
      store_n(z + i, load_n(z + i, n) * factor, n);
    }
    z[target] = p * static_cast<float>(a.weight);
  });
}

/// Adds all rows, in their order, to some columns at a time.
inline void scatter_add(const ScatterAddArgs& a, const Team& team) {
  constexpr std::int64_t piece = 64;
  const std::int64_t pieces = (a.K + piece - 1) / piece;
  for_pieces(team, threads_for(team, a.T * a.K), pieces, [&](std::int64_t p) {
    const std::int64_t begin = p * piece, end = min(a.K, begin + piece);
    for (std::int64_t t = 0; t < a.T; ++t) {
      const float* x = a.x + t * a.K;
      float* y = a.y + a.ids[t] * a.K;
      for (std::int64_t i = begin; i < end; i += lanes) {
        const std::int64_t n = min(lanes, end - i);
        store_n(y + i, load_n(y + i, n) + load_n(x + i, n), n);
      }
    }
  });
}

inline void squares(const SquaresArgs& a, const Team& team) {
  for_pieces(team, threads_for(team, a.n), squares_blocks(a.n), [&](std::int64_t b) {
    const std::int64_t begin = b * squares_block, n = min(squares_block, a.n - begin);
    a.sums[b] = static_cast<double>(sum_row(a.x + begin, n, 0, [](vf v) { return v * v; }));
  });
}

inline void adam_update(const AdamUpdateArgs& a, const Team& team) {
  const AdamStep& s = a.step;
  const vf keep = broadcast(static_cast<float>(1 - s.rate * s.weight_decay));
  const vf eps = broadcast(static_cast<float>(s.eps)), rest1 = broadcast(static_cast<float>(1 - s.beta1));
  const vf beta2 = broadcast(static_cast<float>(s.beta2)), rest2 = broadcast(static_cast<float>(1 - s.beta2));
  const vf rate = broadcast(static_cast<float>(s.rate / s.correction1));
  const vf root = broadcast(static_cast<float>(1 / __builtin_sqrt(s.correction2)));
  for_vectors(a.n, team, [&](std::int64_t i, std::int64_t n) {
    const vf g = load_n(a.g + i, n);
    vf m = load_n(a.m + i, n), v = load_n(a.v + i, n);
    m = m + rest1 * (g - m);
    v = beta2 * v + rest2 * g * g;
    store_n(a.m + i, m, n);
    store_n(a.v + i, v, n);
    store_n(a.p + i, keep * load_n(a.p + i, n) - rate * (m / (square_root(v) * root + eps)), n);
  });
}

}  // namespace toy::cpu::TOY_LEVEL

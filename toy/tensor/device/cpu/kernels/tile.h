// The inner loop of the product: R rows of x times P panels, accumulators in registers.
// Each y[t, n] is one lane of one accumulator that takes k in ascending order; R, P and the cut of k do not matter.
#pragma once

#include "toy/tensor/device/cpu/kernels/expand.h"

namespace toy::cpu::TOY_LEVEL {

struct ProductTile {
  const std::byte* panel;    // at the first k of the slice
  std::int64_t panel_bytes;  // from one panel to the next
  const Cells* cells;        // or the slice of the panel, expanded
  const std::byte* x;        // at the first k: floats, int8 for blocks, 16-bit integers for cells of two elements
  std::int64_t x_stride;     // bytes from one row to the next
  const float* x_scale;      // one for 32 elements of int8
  std::int64_t scale_stride;
  std::int64_t K;  // of the slice
  float* y;        // first output of the first row
  std::int64_t y_stride;
  bool resume;        // y holds the sum of the slices before
  const float* bias;  // added at the end; null before the last slice
};

template <int R, int P>
using Accumulators = vf[R][P][vectors];

/// f(r, p, v) for all accumulators of a tile, with numbers that the compiler knows: GCC 12 keeps sums that are indexed
/// by a loop in memory, and stores each of them at every k.
template <int R, int P, class F>
[[gnu::always_inline]] inline void each_sum(const F& f) {
  unrolled<R>([&](auto r) __attribute__((always_inline)) {
    unrolled<P * vectors>([&](auto i)
                              __attribute__((always_inline)) { f(r, Known<i / vectors>{}, Known<i % vectors>{}); });
  });
}

template <class Panel, int R, int P, Broadcast form>
[[gnu::always_inline]] inline void multiply_numbers(const ProductTile& t, Accumulators<R, P>& sum) {
  constexpr std::int64_t step = panel_width * info(Panel::dtype).block_bytes;
  const std::byte *panel = t.panel, *x = t.x;
  for (std::int64_t k = 0; k < t.K; ++k, panel += step, x += sizeof(float)) {
    vf w[P][vectors];
    each_sum<1, P>([&](auto, auto p, auto v)
                       __attribute__((always_inline)) { w[p][v] = Panel::load_k(panel + p * t.panel_bytes, v); });
    unrolled<R>([&](auto r) __attribute__((always_inline)) {
      const auto factor = factor_at<form>(reinterpret_cast<const float*>(x + r * t.x_stride));
      each_sum<1, P>([&](auto, auto p, auto v)
                         __attribute__((always_inline)) { sum[r][p][v] = fma_onto(sum[r][p][v], w[p][v], factor); });
    });
  }
}

/// One group of elements that share a scale: the sum of int8 products is exact, then one fused multiply-add.
template <class Panel, int R, int P>
[[gnu::always_inline]] inline void multiply_group(const ProductTile& t, const std::byte* block, std::int64_t k,
                                                  int group, Accumulators<R, P>& sum) {
  unrolled<P>([&](auto p) __attribute__((always_inline)) {
    vi dots[R][vectors] = {};
    vi offset[vectors] = {};
    const std::byte* x = t.x + k;
    Panel::each_quad(
        block + p * t.panel_bytes, group, [&](int q, int v, vi w) __attribute__((always_inline)) {
          if (int8_offset != 0) offset[v] = dot4(offset[v], w, zero_bytes());
          for (int r = 0; r < R; ++r) dots[r][v] = dot4(dots[r][v], w, broadcast_quad(x + r * t.x_stride + 4 * q));
        });
    unrolled<vectors>([&](auto v) __attribute__((always_inline)) {
      const vf scale = Panel::scale(block + p * t.panel_bytes, group, v);
      unrolled<R>([&](auto r) __attribute__((always_inline)) {
        const vf both = scale * broadcast(t.x_scale[r * t.scale_stride + k / 32]);
        sum[r][p][v] = fma(to_float(dots[r][v] - offset[v]), both, sum[r][p][v]);
      });
    });
  });
}

template <class Panel, int R, int P>
[[gnu::always_inline]] inline void multiply_blocks(const ProductTile& t, Accumulators<R, P>& sum) {
  constexpr std::int64_t elements = info(Panel::dtype).block_elements;
  constexpr std::int64_t step = panel_width * info(Panel::dtype).block_bytes;
  const std::byte* block = t.panel;
  for (std::int64_t k = 0; k < t.K; k += elements, block += step) {
    for (int group = 0; group < elements / Panel::group; ++group) {
      multiply_group<Panel, R, P>(t, block, k + group * Panel::group, group, sum);
    }
  }
}

template <int group, int R>
[[gnu::always_inline]] inline void multiply_cells(const ProductTile& t, Accumulators<R, 1>& sum) {
  constexpr int cells = group / cell_elements;
  const std::int32_t* w = t.cells->cells;
  for (std::int64_t g = 0; g < t.K / group; ++g) {
    vi dots[R][vectors];
    each_sum<R, 1>([&](auto r, auto, auto v)
                       __attribute__((always_inline)) { dots[r][v] = load_start(*t.cells, g, v); });
    const std::byte* x = t.x + g * cells * 4;
#pragma GCC unroll 16
    for (int c = 0; c < cells; ++c, w += panel_width) {
      const vi w0 = load_cells(w), w1 = load_cells(w + lanes);
      unrolled<R>([&](auto r) __attribute__((always_inline)) {
        const vi value = broadcast_quad(x + r * t.x_stride + 4 * c);
        dots[r][0] = dot_cell(dots[r][0], w0, value);
        dots[r][1] = dot_cell(dots[r][1], w1, value);
      });
    }
    unrolled<R>([&](auto r) __attribute__((always_inline)) {
      const vf x_scale = broadcast(t.x_scale[r * t.scale_stride + g * group / 32]);
      unrolled<vectors>([&](auto v) __attribute__((always_inline)) {
        const vf both = load(t.cells->scales + g * panel_width + v * lanes) * x_scale;
        sum[r][0][v] = fma(to_float(dots[r][v]), both, sum[r][0][v]);
      });
    });
  }
}

template <class Panel, int R, int P, Broadcast form = Broadcast::in_register>
void multiply_tile(const ProductTile& t) {
  Accumulators<R, P> sum;
  const auto y = [&](int r, int p, int v) { return t.y + r * t.y_stride + p * panel_width + v * lanes; };
  if (t.resume) {
    each_sum<R, P>([&](auto r, auto p, auto v) __attribute__((always_inline)) { sum[r][p][v] = load(y(r, p, v)); });
  } else {
    each_sum<R, P>([&](auto r, auto p, auto v) __attribute__((always_inline)) { sum[r][p][v] = vf{}; });
  }
  if constexpr (Panel::expanded) {
    multiply_cells<Panel::group, R>(t, sum);
  } else if constexpr (is_block(Panel::dtype)) {
    multiply_blocks<Panel, R, P>(t, sum);
  } else {
    multiply_numbers<Panel, R, P, form>(t, sum);
  }
  if (t.bias != nullptr) {
    each_sum<R, P>([&](auto r, auto p, auto v) __attribute__((always_inline)) {
      sum[r][p][v] = sum[r][p][v] + load(t.bias + p * panel_width + v * lanes);
    });
  }
  each_sum<R, P>([&](auto r, auto p, auto v) __attribute__((always_inline)) { store(y(r, p, v), sum[r][p][v]); });
}

using TileFunction = void (*)(const ProductTile&);

inline constexpr int registers = vector_bytes == 64 ? 32 : 16;
/// Rows of a tile of one panel, so that the accumulators stay in registers.
template <class Panel>
inline constexpr int tile_rows = is_block(Panel::dtype) ? (registers == 32 ? 6 : 4) : (registers == 32 ? 12 : 6);

template <class Panel, Broadcast form, int... before>
TileFunction tile_function(std::int64_t rows, std::integer_sequence<int, before...>) {
  constexpr TileFunction functions[] = {&multiply_tile<Panel, before + 1, 1, form>...};
  return functions[rows - 1];
}

/// The tile for `rows` rows and `panels` panels: one row takes 4, 2 or 1, two rows take 2 or 1, more rows take 1. Only
/// tiles of floats and one panel come in two forms: rows of int8 are the factor that dot4() cannot read from memory,
/// and where there are several panels a register serves them all.
template <class Panel>
TileFunction tile_function(std::int64_t rows, std::int64_t panels, Broadcast form) {
  if constexpr (!Panel::expanded) {
    if (panels == 4) return &multiply_tile<Panel, 1, 4>;
    if (panels == 2) return rows == 1 ? &multiply_tile<Panel, 1, 2> : &multiply_tile<Panel, 2, 2>;
  }
  constexpr std::make_integer_sequence<int, tile_rows<Panel>> all;
  if constexpr (has_forms && Panel::dtype == DType::F32) {
    if (form == Broadcast::from_memory) return tile_function<Panel, Broadcast::from_memory>(rows, all);
  }
  return tile_function<Panel, Broadcast::in_register>(rows, all);
}

}  // namespace toy::cpu::TOY_LEVEL

// A slice of a panel, unpacked once for many rows: floats, or cells of int8 or int16 with float scales.
// The sums stay the same: floats are widened exactly, and sums of integers have no order.
#pragma once

#include "toy/tensor/device/cpu/kernels/panels.h"

namespace toy::cpu::TOY_LEVEL {

inline constexpr std::int64_t slice_numbers = 256;  // k of a slice: its panel stays in the first cache
inline constexpr std::int64_t slice_blocks = 512;
inline constexpr int smallest_group = 16;

struct Cells {
  alignas(64) std::int32_t cells[slice_blocks / cell_elements * panel_width];  // [k / cell_elements][panel_width]
  alignas(64) float scales[slice_blocks / smallest_group * panel_width];       // [group][panel_width]
  alignas(64) std::int32_t start[int8_offset != 0 ? slice_blocks / smallest_group * panel_width : 1];
};

/// Stands for the cells of a panel whose scales belong to `group` elements.
template <class Panel>
struct CellsOf {
  static constexpr DType dtype = Panel::dtype;
  static constexpr bool expanded = true;
  static constexpr int group = Panel::group;
};

inline vi load_cells(const std::int32_t* p) { return load_bits(reinterpret_cast<const std::byte*>(p)); }
inline void store_cells(std::int32_t* p, vi v) { *reinterpret_cast<vi_unaligned*>(p) = v; }

/// What the sums of a group begin with: minus int8_offset times the sum of its weights.
inline vi load_start(const Cells& c, std::int64_t group, int v) {
  return int8_offset == 0 ? vi{} : load_cells(c.start + group * panel_width + v * lanes);
}

/// Four bytes of each lane as cells: `cells` of the first row, panel_width apart.
inline void store_quad(std::int32_t* cells, vi w) {
  if constexpr (cell_elements == 4) {
    store_cells(cells, w);
  } else {
    const vi first = (w << 24) >> 24 & 0xFFFF, second = (w << 16) >> 24 << 16;
    const vi third = (w << 8) >> 24 & 0xFFFF, fourth = w >> 24 << 16;
    store_cells(cells, first | second);
    store_cells(cells + panel_width, third | fourth);
  }
}

/// The first K elements from `panel` on.
template <class Panel>
void expand(const std::byte* panel, std::int64_t K, Cells& to) {
  constexpr auto type = info(Panel::dtype);
  constexpr int groups = type.block_elements / Panel::group;
  for (std::int64_t g = 0; g < K / Panel::group; ++g) {
    const std::byte* block = panel + g / groups * panel_width * type.block_bytes;
    const int in_block = static_cast<int>(g % groups);
    std::int32_t* cells = to.cells + g * Panel::group / cell_elements * panel_width;
    vi start[vectors] = {};
    Panel::each_quad(
        block, in_block, [&](int q, int v, vi w) __attribute__((always_inline)) {
          if (int8_offset != 0) start[v] = dot4(start[v], w, zero_bytes());
          store_quad(cells + q * 4 / cell_elements * panel_width + v * lanes, w);
        });
    for (int v = 0; v < vectors; ++v) {
      store(to.scales + g * panel_width + v * lanes, Panel::scale(block, in_block, v));
      if (int8_offset != 0) store_cells(to.start + g * panel_width + v * lanes, -start[v]);
    }
  }
}

/// Plain numbers as floats [K][panel_width].
template <class Panel>
void expand(const std::byte* panel, std::int64_t K, float* to) {
  for (std::int64_t k = 0; k < K; ++k) {
    for (int v = 0; v < vectors; ++v) {
      store(to + k * panel_width + v * lanes,
            Panel::load_k(panel + k * panel_width * info(Panel::dtype).block_bytes, v));
    }
  }
}

}  // namespace toy::cpu::TOY_LEVEL

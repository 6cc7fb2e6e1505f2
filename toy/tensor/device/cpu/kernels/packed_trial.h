// The micro-kernel of packed products, for trials of its forms.
#pragma once

#include "toy/tensor/device/cpu/kernels/gemm.h"

namespace toy::cpu::TOY_LEVEL {

/// The packed tile of those cells, on 128 of them.
template <class Cell>
std::int64_t run_tile(Broadcast form, int rounds, float* memory) {
  constexpr std::int64_t cells = 128;
  constexpr std::int64_t rows = tile_rows_of(Cell::multiple > 1 ? CellKind::tiles : CellKind::pairs);
  float *a = memory + cells * panel_width, *c = a + rows * short_rows;
  const PackedTile tile{a, memory, panel_width, cells, c, panel_width, false, nullptr};
  [[maybe_unused]] const std::conditional_t<(Cell::multiple > 1), TileRegisters, Known<0>> registers;
  for (int i = 0; i < rounds; ++i) {
    if constexpr (Cell::multiple > 1) {
      multiply_registers<2, 2>(tile, short_rows);
    } else {
      packed_tile<Cell, rows_of_a<short_rows>>(rows, form)(tile);
    }
  }
  return rounds * 2 * rows * panel_width * cells * Cell::per_cell;
}

}  // namespace toy::cpu::TOY_LEVEL

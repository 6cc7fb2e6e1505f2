// Rows of a weight in panels, as floats: the values of dequantize_row.
#pragma once

#include "toy/tensor/device/cpu/kernels/panels.h"
#include "toy/tensor/device/cpu/kernels/pieces.h"
#include "toy/tensor/device/cpu/level.h"
#include "toy/tensor/ops/gather.h"

namespace toy::cpu::TOY_LEVEL {

template <class Panel>
void gather_numbers(const std::byte* panel, std::int64_t n, std::int64_t K, float* y) {
  constexpr std::int64_t size = info(Panel::dtype).block_bytes;
  const int v = static_cast<int>(n / lanes), lane = static_cast<int>(n % lanes);
  for (std::int64_t k = 0; k < K; ++k) y[k] = Panel::load_k(panel + k * panel_width * size, v)[lane];
}

/// Reads whole vectors, of which one lane is wanted: the unpacking is that of the product.
template <class Panel>
void gather_blocks(const std::byte* panel, std::int64_t n, std::int64_t K, float* y) {
  constexpr auto type = info(Panel::dtype);
  const int mine = static_cast<int>(n / lanes), lane = static_cast<int>(n % lanes);
  for (std::int64_t b = 0; b < K / type.block_elements; ++b) {
    const std::byte* block = panel + b * panel_width * type.block_bytes;
    for (int g = 0; g < type.block_elements / Panel::group; ++g) {
      const float scale = Panel::scale(block, g, mine)[lane];
      float* target = y + b * type.block_elements + g * Panel::group;
      Panel::each_quad(block, g, [&](int q, int v, vi w) {
        if (v != mine) return;
        for (int i = 0; i < 4; ++i) {
          target[4 * q + i] = static_cast<float>(reinterpret_cast<vb>(w)[4 * lane + i]) * scale;
        }
      });
    }
  }
}

inline void gather_row(const GatherArgs& a, std::int64_t id, float* y) {
  const std::byte* panel = a.weight + id / panel_width * panel_width * bytes_of(a.dtype, a.K);
  const std::int64_t n = id % panel_width;
  switch (a.dtype) {
    case DType::F32:
      return gather_numbers<F32Panel>(panel, n, a.K, y);
    case DType::F16:
      return gather_numbers<F16Panel>(panel, n, a.K, y);
    case DType::BF16:
      return gather_numbers<BF16Panel>(panel, n, a.K, y);
    case DType::Q8_0:
      return gather_blocks<Q8Panel>(panel, n, a.K, y);
    case DType::Q4_0:
      return gather_blocks<Q4Panel>(panel, n, a.K, y);
    default:
      return gather_blocks<Q6Panel>(panel, n, a.K, y);
  }
}

inline void gather(const GatherArgs& a, const Team& team) {
  if (a.layout == Layout::rows) return gather_rows(a);
  const int threads = a.T > 1 && a.T * a.K > 16384 ? team.threads() : 1;
  for_ranges(team, threads, a.T, [&](Range rows) {
    for (std::int64_t t = rows.begin; t < rows.end; ++t) gather_row(a, a.ids[t], a.y + t * a.K);
  });
}

}  // namespace toy::cpu::TOY_LEVEL

// Re-lays rows of weights as panels. The layouts are those of panels.h.
#pragma once

#include "toy/tensor/device/cpu/kernels/panels.h"
#include "toy/tensor/device/cpu/level.h"

namespace toy::cpu::TOY_LEVEL {

inline std::uint32_t load_word(const std::byte* p) {
  std::uint32_t word;
  __builtin_memcpy(&word, p, 4);
  return word;
}

inline void store_word(std::byte* p, std::uint32_t word) { __builtin_memcpy(p, &word, 4); }

/// One output of a panel of plain numbers of `size` bytes.
template <int size>
void pack_numbers(const std::byte* row, std::int64_t K, std::byte* target) {
  for (std::int64_t k = 0; k < K; ++k) __builtin_memcpy(target + k * panel_width * size, row + k * size, size);
}

/// One output (number n) of one block of a panel.
inline void pack_block(const Q8Panel&, const std::byte* block, std::int64_t n, std::byte* target) {
  __builtin_memcpy(target + 2 * n, block, 2);
  std::byte* quads = target + 2 * panel_width + 4 * n;
  for (int q = 0; q < 8; ++q) store_word(quads + q * quad_row, load_word(block + 2 + 4 * q));
}

inline void pack_block(const Q4Panel&, const std::byte* block, std::int64_t n, std::byte* target) {
  __builtin_memcpy(target + 2 * n, block, 2);
  std::byte* rows = target + 2 * panel_width + 4 * n;
  for (int i = 0; i < 4; ++i) store_word(rows + i * quad_row, load_word(block + 2 + 4 * i));
}

/// Low nibbles and high bits of a quad of a Q6_K block in rows.
struct Q6Quad {
  std::uint32_t low, high;
};
inline Q6Quad q6_quad(const std::byte* block, int quad) {
  const int half = quad / 32, quarter = quad % 32 / 8, l = 4 * (quad % 8);
  const std::uint32_t low = load_word(block + 64 * half + 32 * (quarter % 2) + l) >> (4 * (quarter / 2));
  const std::uint32_t high = load_word(block + 128 + 32 * half + l) >> (2 * quarter);
  return {low & 0x0F0F0F0Fu, high & 0x03030303u};
}

inline void pack_block(const Q6Panel&, const std::byte* block, std::int64_t n, std::byte* target) {
  __builtin_memcpy(target + 2 * n, block + 208, 2);
  for (int part = 0; part < 4; ++part) {
    std::byte* scales = target + 2 * panel_width + part * Q6Panel::part_bytes;
    std::byte* low = scales + 4 * panel_width + 4 * n;
    std::byte* high = low + 8 * quad_row;
    for (int g = 0; g < 4; ++g) scales[g * panel_width + n] = block[192 + 4 * part + g];
    std::uint32_t high_bits[4] = {};
    for (int i = 0; i < 8; ++i) {
      const Q6Quad first = q6_quad(block, 16 * part + i), second = q6_quad(block, 16 * part + 8 + i);
      store_word(low + i * quad_row, first.low | second.low << 4);
      high_bits[i % 4] |= first.high << (i / 4 * 2) | second.high << (4 + i / 4 * 2);
    }
    for (int i = 0; i < 4; ++i) store_word(high + i * quad_row, high_bits[i]);
  }
}

template <class Panel>
void pack_blocks(const std::byte* row, std::int64_t K, std::int64_t n, std::byte* target) {
  constexpr auto type = info(Panel::dtype);
  for (std::int64_t b = 0; b < K / type.block_elements; ++b) {
    pack_block(Panel{}, row + b * type.block_bytes, n, target + b * panel_width * type.block_bytes);
  }
}

inline void pack_row(DType dtype, const std::byte* row, std::int64_t K, std::int64_t n, std::byte* panel) {
  switch (dtype) {
    case DType::F32:
      return pack_numbers<4>(row, K, panel + 4 * n);
    case DType::F16:
    case DType::BF16:
      return pack_numbers<2>(row, K, panel + 2 * n);
    case DType::Q8_0:
      return pack_blocks<Q8Panel>(row, K, n, panel);
    case DType::Q4_0:
      return pack_blocks<Q4Panel>(row, K, n, panel);
    default:
      return pack_blocks<Q6Panel>(row, K, n, panel);
  }
}

inline void pack(const PackArgs& a) {
  const std::int64_t row_bytes = bytes_of(a.dtype, a.K);
  for (std::int64_t p = a.first; p < a.last; ++p) {
    std::byte* panel = a.panels + p * panel_width * row_bytes;
    const std::int64_t rows = min(panel_width, a.N - p * panel_width);
    if (rows < panel_width) __builtin_memset(panel, 0, static_cast<std::size_t>(panel_width * row_bytes));
    for (std::int64_t n = 0; n < rows; ++n) {
      pack_row(a.dtype, a.rows + (p * panel_width + n) * row_bytes, a.K, n, panel);
    }
  }
}

}  // namespace toy::cpu::TOY_LEVEL

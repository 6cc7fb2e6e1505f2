// How each weight type lies in a panel of `panel_width` outputs, and how its vectors are read.
// Everything of one k (or one block of k) is together, output by output, so that a lane is an output.
#pragma once

#include "toy/tensor/device/cpu/kernels/simd.h"
#include "toy/tensor/dtype.h"

namespace toy::cpu::TOY_LEVEL {

inline constexpr int vectors = 2;                          // of a panel
inline constexpr int panel_width = vectors * lanes;        // outputs of a panel
inline constexpr std::int64_t quad_row = 4 * panel_width;  // bytes: four neighbouring elements of every output

/// [K][panel_width] floats.
struct F32Panel {
  static constexpr DType dtype = DType::F32;
  static constexpr bool expanded = false;
  static vf load_k(const std::byte* p, int v) { return load(reinterpret_cast<const float*>(p) + v * lanes); }
};

/// [K][panel_width] halves.
struct F16Panel {
  static constexpr DType dtype = DType::F16;
  static constexpr bool expanded = false;
  static vf load_k(const std::byte* p, int v) { return load_half(p + 2 * v * lanes); }
};

/// [K][panel_width] bfloats.
struct BF16Panel {
  static constexpr DType dtype = DType::BF16;
  static constexpr bool expanded = false;
  static vf load_k(const std::byte* p, int v) { return load_bfloat(p + 2 * v * lanes); }
};

inline vi nibbles(vi bytes, int shift) { return (bytes >> shift) & 0x0F0F0F0F; }
inline vi subtract_bytes(vi a, std::int8_t b) { return reinterpret_cast<vi>(reinterpret_cast<vb>(a) - b); }

/// Per block of 32: panel_width f16 scales, [8 quads][panel_width][4] int8.
struct Q8Panel {
  static constexpr DType dtype = DType::Q8_0;
  static constexpr bool expanded = false;
  static constexpr int group = 32;  // elements that share a scale
  static vf scale(const std::byte* block, int /*group*/, int v) { return load_half(block + 2 * v * lanes); }
  /// dot(quad, v, int8 vector) for every quad of the group.
  template <class Dot>
  static void each_quad(const std::byte* block, int /*group*/, const Dot& dot) {
    const std::byte* quads = block + 2 * panel_width;
    for (int q = 0; q < 8; ++q) {
      for (int v = 0; v < vectors; ++v) dot(q, v, load_bits(quads + q * quad_row + v * vector_bytes));
    }
  }
};

/// Per block of 32: panel_width f16 scales, [4][panel_width][4] bytes; row i has quad i in its low nibbles, quad
/// 4 + i in the high ones.
struct Q4Panel {
  static constexpr DType dtype = DType::Q4_0;
  static constexpr bool expanded = false;
  static constexpr int group = 32;
  static vf scale(const std::byte* block, int /*group*/, int v) { return load_half(block + 2 * v * lanes); }
  template <class Dot>
  static void each_quad(const std::byte* block, int /*group*/, const Dot& dot) {
    const std::byte* rows = block + 2 * panel_width;
    for (int i = 0; i < 4; ++i) {
      for (int v = 0; v < vectors; ++v) {
        const vi bytes = load_bits(rows + i * quad_row + v * vector_bytes);
        dot(i, v, subtract_bytes(nibbles(bytes, 0), 8));
        dot(4 + i, v, subtract_bytes(nibbles(bytes, 4), 8));
      }
    }
  }
};

/// Per block of 256: panel_width f16 scales d, then four parts of 64 elements (16 quads) each:
/// [4 groups][panel_width] int8 scales; [8][panel_width][4] bytes, row i has the low bits of quad i in its low
/// nibbles and those of quad 8 + i in the high ones; [4][panel_width][4] bytes, row i has the two high bits of quads
/// i, 4 + i, 8 + i and 12 + i, lowest first.
struct Q6Panel {
  static constexpr DType dtype = DType::Q6_K;
  static constexpr bool expanded = false;
  static constexpr int group = 16;
  static constexpr std::int64_t part_bytes = 52 * panel_width;
  static const std::byte* part(const std::byte* block, int group) {
    return block + 2 * panel_width + group / 4 * part_bytes;
  }
  static vf scale(const std::byte* block, int group, int v) {
    return load_half(block + 2 * v * lanes) * load_int8(part(block, group) + group % 4 * panel_width + v * lanes);
  }
  template <class Dot>
  static void each_quad(const std::byte* block, int group, const Dot& dot) {
    const std::byte* low = part(block, group) + 4 * panel_width + group % 2 * 4 * quad_row;
    const std::byte* high = part(block, group) + 4 * panel_width + 8 * quad_row;
    const int field = group % 4;
    for (int q = 0; q < 4; ++q) {
      for (int v = 0; v < vectors; ++v) {
        const vi l = nibbles(load_bits(low + q * quad_row + v * vector_bytes), field / 2 * 4);
        const vi h = load_bits(high + q * quad_row + v * vector_bytes) >> (2 * field) & 0x03030303;
        dot(q, v, subtract_bytes(l | h << 4, 32));
      }
    }
  }
};

}  // namespace toy::cpu::TOY_LEVEL

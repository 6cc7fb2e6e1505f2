// Products of bfloats in registers of 16 x 16 sums (AMX): one instruction multiplies 16 rows of 32 bfloats by 16
// columns.
#pragma once

#include "toy/tensor/device/cpu/kernels/math.h"

namespace toy::cpu::TOY_LEVEL {

#if defined(__AMX_BF16__)
inline constexpr bool has_tiles = true;
#else
inline constexpr bool has_tiles = false;
#endif

inline constexpr int register_rows = 16, register_cells = 16;  // of 32 bits

/// While it lives, the thread has the eight registers of 16 rows and 64 bytes.
class TileRegisters {
 public:
  TileRegisters() {
    struct {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  ~TileRegisters() { asm volatile("tilerelease"); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;
};

template <int tile>
void tile_zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(tile));
}
/// Rows of 64 bytes, `stride` floats apart; a stride of 0 puts one into all.
template <int tile>
void tile_load(const float* from, std::int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(4 * stride), "i"(tile) : "memory");
}
template <int tile>
void tile_store(float* to, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(4 * stride), "i"(tile) : "memory");
}
/// sum += a b, with a's rows of 16 cells and b's 16 rows of cells: for each sum the products of even k and those of odd
/// k are added up apart, then both to it.
template <int sum, int a, int b>
void tile_multiply() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(a), "i"(b));
}

/// Lanes whose bit `distance` is set change places between both vectors.
template <int distance, int... lane>
void exchange(vf& a, vf& b, std::integer_sequence<int, lane...>) {
  const vf first = __builtin_shufflevector(a, b, ((lane & distance) == 0 ? lane : lanes + lane - distance)...);
  b = __builtin_shufflevector(a, b, ((lane & distance) == 0 ? lane + distance : lanes + lane)...);
  a = first;
}

/// Turns a square of vectors: rows[i][j] and rows[j][i] change places.
template <int distance = lanes / 2>
void turn_square(vf (&rows)[lanes]) {
  unrolled<lanes>([&](auto i) {
    if constexpr ((i & distance) == 0) {
      exchange<distance>(rows[i], rows[i + distance], std::make_integer_sequence<int, lanes>());
    }
  });
  if constexpr (distance > 1) turn_square<distance / 2>(rows);
}

}  // namespace toy::cpu::TOY_LEVEL

// Activations rounded to int8, one scale for 32 neighbours of a row.
#pragma once

#include "toy/tensor/device/cpu/kernels/simd.h"
#include "toy/tensor/ops/linear.h"

namespace toy::cpu::TOY_LEVEL {

struct Range {
  std::int64_t begin, end;
};

/// The scales in the scratch memory of a product: [T][K / 32] after [T][K] bytes.
inline float* int8_scales(const LinearArgs& a) { return reinterpret_cast<float*>(a.scratch + a.T * a.K); }

/// 32 floats -> 32 bytes (plus int8_offset) and their scale, largest / 127; ties to even. A block with an infinity
/// or a NaN gets the scale NaN.
inline float quantize_block(const float* x, std::byte* target) {
  constexpr int n = 32 / lanes;
  vf largest = {}, poison = {};
  vf v[n];
  for (int i = 0; i < n; ++i) {
    v[i] = load(x + i * lanes);
    const vf magnitude = v[i] < 0 ? -v[i] : v[i];
    largest = magnitude > largest ? magnitude : largest;
    poison += v[i] * 0.0f;
  }
  float top = 0, nan = 0;
  for (int i = 0; i < lanes; ++i) {
    top = largest[i] > top ? largest[i] : top;
    nan += poison[i];
  }
  const bool tiny = top < 1e-30f;  // its inverse would overflow
  const vf inverse = broadcast(tiny ? 0.0f : 127.0f / top);
  const vf shifter = broadcast(12582912.0f);  // 1.5 * 2^23: the low bits of the sum are the rounded integer
  for (int i = 0; i < n; ++i) {
    const vf shifted = v[i] * inverse + shifter;
    const vi q = reinterpret_cast<vi>(shifted) + int8_offset;
    *reinterpret_cast<lane_bytes_unaligned*>(target + i * lanes) = __builtin_convertvector(q, lane_bytes);
  }
  return tiny ? nan : top / 127.0f + nan;
}

inline void quantize_rows(const LinearArgs& a, Range rows) {
  for (std::int64_t i = rows.begin * a.K / 32; i < rows.end * a.K / 32; ++i) {
    int8_scales(a)[i] = quantize_block(a.x + 32 * i, a.scratch + 32 * i);
  }
}

}  // namespace toy::cpu::TOY_LEVEL

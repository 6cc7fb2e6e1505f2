// Activations rounded to int8, one scale for 32 neighbours of a row.
#pragma once

#include "toy/tensor/device/cpu/kernels/simd.h"
#include "toy/tensor/ops/linear.h"

namespace toy::cpu::TOY_LEVEL {

/// The scales in the scratch memory of a product: [T][K / 32] after [T][K] bytes.
inline float* int8_scales(const LinearArgs& a) { return reinterpret_cast<float*>(a.scratch + a.T * a.K); }

/// 32 floats -> 32 bytes (plus int8_offset) and their scale, largest / 127; ties to even. A block with an infinity
/// or a NaN gets the scale NaN.
inline float quantize_block(const float* x, std::byte* target) {
  constexpr int n = 32 / lanes;
  vi largest = {};
  vf v[n];
  for (int i = 0; i < n; ++i) {
    v[i] = load(x + i * lanes);
    const vi magnitude = reinterpret_cast<vi>(v[i]) & 0x7FFFFFFF;
    largest = magnitude > largest ? magnitude : largest;
  }
  const std::int32_t bits = largest_lane(largest);
  const auto top = __builtin_bit_cast(float, bits);
  const bool tiny = top < 1e-30f;  // its inverse would overflow
  const vf inverse = broadcast(tiny ? 0.0f : 127.0f / top);
  const vf shifter = broadcast(12582912.0f);  // 1.5 * 2^23: the low bits of the sum are the rounded integer
  vi q[n];
  for (int i = 0; i < n; ++i) {
    q[i] = reinterpret_cast<vi>(v[i] * inverse + shifter) - (reinterpret_cast<vi>(shifter) - int8_offset);
  }
  store_bytes(target, q);
  return bits >= 0x7F800000 ? __builtin_nanf("") : top / 127.0f;
}

inline void quantize_rows(const LinearArgs& a, Range rows) {
  for (std::int64_t i = rows.begin * a.K / 32; i < rows.end * a.K / 32; ++i) {
    int8_scales(a)[i] = quantize_block(a.x + 32 * i, a.scratch + 32 * i);
  }
}

}  // namespace toy::cpu::TOY_LEVEL

// Exact values of the weight types, one row at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "toy/tensor/dtype.h"

namespace toy {

/// IEEE half -> float, exact, subnormals included.
constexpr float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
  const std::uint32_t exponent = (h >> 10) & 31u;
  const std::uint32_t fraction = h & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | (fraction << 13));
  if (exponent == 0) {  // subnormal: fraction * 2^-24
    const float value = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (fraction << 13));
}

/// float -> IEEE half, round to nearest even; too large becomes infinity.
std::uint16_t float_to_half(float value);

/// To nearest, ties to even.
constexpr std::uint16_t float_to_bfloat(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>((bits >> 16) | 64u);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}
constexpr float bfloat_to_float(std::uint16_t b) { return std::bit_cast<float>(static_cast<std::uint32_t>(b) << 16); }

/// True for the types `dequantize_row` and the product know: F32, F16, BF16, Q8_0, Q4_0, Q6_K.
bool can_compute(DType dtype);

/// Writes row.size() values of the row that begins at `source` (row.size() a multiple of the block).
/// Errors: a type that cannot be computed.
void dequantize_row(DType dtype, const std::byte* source, std::span<float> row);

/// The same for rows of doubles; F64 is copied.
void dequantize_row(DType dtype, const std::byte* source, std::span<double> row);

/// Rounds row.size() floats to `dtype` (F32, F16, BF16, Q8_0, Q4_0), by the reference quantizers of GGUF.
void quantize_row(DType dtype, std::span<const float> row, std::byte* target);

}  // namespace toy

#include "toy/tensor/ops/dequantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "toy/tensor/error.h"

namespace toy {
namespace {

template <class T>
T read(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <class T>
void write(std::byte* p, T value) {
  std::memcpy(p, &value, sizeof value);
}

int byte_at(const std::byte* p, std::ptrdiff_t i) { return std::to_integer<int>(p[i]); }

/// Q8_0: f16 d, int8 q[32]; w = q d.
void dequantize_q8_0(const std::byte* block, float* w) {
  const float d = half_to_float(read<std::uint16_t>(block));
  for (int i = 0; i < 32; ++i) w[i] = static_cast<float>(read<std::int8_t>(block + 2 + i)) * d;
}

/// Q4_0: f16 d, 16 bytes; the low nibbles are elements 0-15, the high ones 16-31; w = (q - 8) d.
void dequantize_q4_0(const std::byte* block, float* w) {
  const float d = half_to_float(read<std::uint16_t>(block));
  for (int j = 0; j < 16; ++j) {
    const int q = byte_at(block, 2 + j);
    w[j] = static_cast<float>((q & 15) - 8) * d;
    w[j + 16] = static_cast<float>((q >> 4) - 8) * d;
  }
}

/// Q6_K: low nibbles [128], high bit pairs [64], int8 scales [16], f16 d; w = (d scale) (q - 32).
void dequantize_q6_k(const std::byte* block, float* w) {
  const float d = half_to_float(read<std::uint16_t>(block + 208));
  for (int e = 0; e < 256; ++e) {
    const int half = e / 128, quarter = e % 128 / 32, l = e % 32;
    const int low = byte_at(block, 64 * half + 32 * (quarter % 2) + l) >> (4 * (quarter / 2)) & 15;
    const int high = byte_at(block, 128 + 32 * half + l) >> (2 * quarter) & 3;
    const float scale = d * static_cast<float>(read<std::int8_t>(block + 192 + e / 16));
    w[e] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

void quantize_q8_0(const float* x, std::byte* block) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
  const float d = largest / 127;
  const float inverse = d != 0 ? 1 / d : 0;
  write(block, float_to_half(d));
  for (int i = 0; i < 32; ++i) write(block + 2 + i, static_cast<std::int8_t>(std::round(x[i] * inverse)));
}

void quantize_q4_0(const float* x, std::byte* block) {
  float largest = 0;  // with its sign
  for (int i = 0; i < 32; ++i) {
    if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
  }
  const float d = largest / -8;
  const float inverse = d != 0 ? 1 / d : 0;
  write(block, float_to_half(d));
  const auto code = [&](int i) { return std::min(15, static_cast<int>(x[i] * inverse + 8.5f)); };
  for (int j = 0; j < 16; ++j) block[2 + j] = static_cast<std::byte>(code(j) | code(j + 16) << 4);
}

template <class Function>
void each_block(DType dtype, std::size_t elements, Function function) {
  const auto& type = info(dtype);
  const auto block = static_cast<std::size_t>(type.block_elements);
  if (elements % block != 0) {
    fail("a row of {} has {} elements, expected a multiple of {}", type.name, elements, block);
  }
  for (std::size_t b = 0; b < elements / block; ++b) {
    function(static_cast<std::ptrdiff_t>(b) * type.block_bytes, b * block);
  }
}

}  // namespace

std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  const auto half = [&](std::uint32_t rest) { return static_cast<std::uint16_t>(sign | rest); };
  if (magnitude > 0x7F800000u) return half(0x7E00u);
  if (magnitude >= 0x477FF000u) return half(0x7C00u);  // rounds to 65536 or more
  if (magnitude < 0x38800000u) {
    // Below 2^-14 halves are multiples of 2^-24: adding 0.5 makes the float's own rounding round to them.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return half(std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u);
  }
  return half((magnitude - 0x38000000u + 0xFFFu + (magnitude >> 13 & 1u)) >> 13);
}

bool can_compute(DType dtype) {
  switch (dtype) {
    case DType::F32:
    case DType::F16:
    case DType::BF16:
    case DType::Q8_0:
    case DType::Q4_0:
    case DType::Q6_K:
      return true;
    default:
      return false;
  }
}

void dequantize_row(DType dtype, const std::byte* source, std::span<float> row) {
  switch (dtype) {
    case DType::F32:
      std::memcpy(row.data(), source, row.size_bytes());
      return;
    case DType::F16:
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = half_to_float(read<std::uint16_t>(source + 2 * i));
      return;
    case DType::BF16:
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = bfloat_to_float(read<std::uint16_t>(source + 2 * i));
      return;
    case DType::Q8_0:
      each_block(dtype, row.size(), [&](auto at, auto i) { dequantize_q8_0(source + at, &row[i]); });
      return;
    case DType::Q4_0:
      each_block(dtype, row.size(), [&](auto at, auto i) { dequantize_q4_0(source + at, &row[i]); });
      return;
    case DType::Q6_K:
      each_block(dtype, row.size(), [&](auto at, auto i) { dequantize_q6_k(source + at, &row[i]); });
      return;
    default:
      fail("cannot compute with {} weights, expected F32, F16, BF16, Q8_0, Q4_0 or Q6_K", name(dtype));
  }
}

void dequantize_row(DType dtype, const std::byte* source, std::span<double> row) {
  if (dtype == DType::F64) {
    std::memcpy(row.data(), source, row.size_bytes());
    return;
  }
  std::vector<float> narrow(row.size());
  dequantize_row(dtype, source, std::span<float>(narrow));
  std::copy(narrow.begin(), narrow.end(), row.begin());
}

void quantize_row(DType dtype, std::span<const float> row, std::byte* target) {
  switch (dtype) {
    case DType::F32:
      std::memcpy(target, row.data(), row.size_bytes());
      return;
    case DType::F16:
      for (std::size_t i = 0; i < row.size(); ++i) write(target + 2 * i, float_to_half(row[i]));
      return;
    case DType::BF16:
      for (std::size_t i = 0; i < row.size(); ++i) write(target + 2 * i, float_to_bfloat(row[i]));
      return;
    case DType::Q8_0:
      each_block(dtype, row.size(), [&](auto at, auto i) { quantize_q8_0(&row[i], target + at); });
      return;
    case DType::Q4_0:
      each_block(dtype, row.size(), [&](auto at, auto i) { quantize_q4_0(&row[i], target + at); });
      return;
    default:
      fail("cannot round to {}, expected F32, F16, BF16, Q8_0 or Q4_0", name(dtype));
  }
}

}  // namespace toy

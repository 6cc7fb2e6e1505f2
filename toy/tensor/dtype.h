// Element types: plain numbers and the GGUF blocks of quantized weights.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace toy {

/// What the products of training read: their factors in f32, or rounded to bfloat16; both sum in f32.
enum class Precision : std::uint8_t { f32, bf16 };

/// Type of a tensor's elements. Block types store `block_elements` neighbours of one row together.
enum class DType : std::uint8_t {
  F32,
  F64,
  F16,
  BF16,
  I8,
  I16,
  I32,
  I64,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  IQ4_NL,
  IQ4_XS,
  MXFP4,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  int block_elements;  // 1 for plain numbers
  int block_bytes;
};

/// One row per DType, in the order of the enumeration.
inline constexpr std::array dtype_table = {
    DTypeInfo{DType::F32, "F32", 1, 4},         DTypeInfo{DType::F64, "F64", 1, 8},
    DTypeInfo{DType::F16, "F16", 1, 2},         DTypeInfo{DType::BF16, "BF16", 1, 2},
    DTypeInfo{DType::I8, "I8", 1, 1},           DTypeInfo{DType::I16, "I16", 1, 2},
    DTypeInfo{DType::I32, "I32", 1, 4},         DTypeInfo{DType::I64, "I64", 1, 8},
    DTypeInfo{DType::Q4_0, "Q4_0", 32, 18},     DTypeInfo{DType::Q4_1, "Q4_1", 32, 20},
    DTypeInfo{DType::Q5_0, "Q5_0", 32, 22},     DTypeInfo{DType::Q5_1, "Q5_1", 32, 24},
    DTypeInfo{DType::Q8_0, "Q8_0", 32, 34},     DTypeInfo{DType::Q2_K, "Q2_K", 256, 84},
    DTypeInfo{DType::Q3_K, "Q3_K", 256, 110},   DTypeInfo{DType::Q4_K, "Q4_K", 256, 144},
    DTypeInfo{DType::Q5_K, "Q5_K", 256, 176},   DTypeInfo{DType::Q6_K, "Q6_K", 256, 210},
    DTypeInfo{DType::IQ4_NL, "IQ4_NL", 32, 18}, DTypeInfo{DType::IQ4_XS, "IQ4_XS", 256, 136},
    DTypeInfo{DType::MXFP4, "MXFP4", 32, 17},
};

constexpr const DTypeInfo& info(DType t) { return dtype_table[static_cast<std::size_t>(t)]; }
constexpr std::string_view name(DType t) { return info(t).name; }
constexpr bool is_block(DType t) { return info(t).block_elements > 1; }

/// Bytes of `elements` consecutive elements; `elements` is a multiple of the block.
constexpr std::int64_t bytes_of(DType t, std::int64_t elements) {
  return elements / info(t).block_elements * info(t).block_bytes;
}

}  // namespace toy

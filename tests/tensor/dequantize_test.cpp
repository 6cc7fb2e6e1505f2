#include "toy/tensor/ops/dequantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <vector>

#include "toy/io/gguf.h"
#include "toy/io/safetensors.h"
#include "toy/tensor/error.h"

namespace toy {
namespace {

/// 2^e * f, from the definition of the format in double.
double half_by_definition(std::uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (h & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Half, WidensByDefinition) {
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto h = static_cast<std::uint16_t>(i);
    if ((h & 0x7C00) == 0x7C00) continue;
    ASSERT_EQ(static_cast<double>(half_to_float(h)), half_by_definition(h));
  }
  EXPECT_EQ(half_to_float(0x7C00), INFINITY);
  EXPECT_EQ(half_to_float(0xFC00), -INFINITY);
  EXPECT_TRUE(std::isnan(half_to_float(0x7E00)));
}

TEST(Half, RoundTripsEveryValue) {
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto h = static_cast<std::uint16_t>(i);
    if (std::isnan(half_to_float(h))) continue;
    ASSERT_EQ(float_to_half(half_to_float(h)), h);
  }
  EXPECT_EQ(float_to_half(std::nanf("")), 0x7E00);
}

TEST(Half, RoundsBetweenNeighboursToEven) {
  for (std::uint16_t h = 0; h < 0x7C00; ++h) {
    const double low = half_by_definition(h);
    const double high = h == 0x7BFF ? 65536 : half_by_definition(static_cast<std::uint16_t>(h + 1));
    const auto middle = static_cast<float>((low + high) / 2);  // exact: one more bit than a half has
    ASSERT_EQ(float_to_half(middle), h % 2 == 0 ? h : h + 1);
    ASSERT_EQ(float_to_half(std::nextafterf(middle, 0)), h);
    ASSERT_EQ(float_to_half(std::nextafterf(middle, INFINITY)), h + 1);
    ASSERT_EQ(float_to_half(-middle), 0x8000 | (h % 2 == 0 ? h : h + 1));
  }
}

TEST(Quantize, RoundsBfloatToEven) {
  const std::vector<float> x = {1.0f, 1.00390625f, 1.01171875f, -1.00390625f, 1e-40f, INFINITY, std::nanf("")};
  std::vector<std::uint16_t> b(x.size());
  quantize_row(DType::BF16, x, reinterpret_cast<std::byte*>(b.data()));
  EXPECT_EQ(b, (std::vector<std::uint16_t>{0x3F80, 0x3F80, 0x3F82, 0xBF80, 0x0001, 0x7F80, 0x7FC0}));
}

TEST(Quantize, StaysWithinHalfAStep) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(32 * 50), y(x.size());
  for (float& v : x) v = normal(engine);
  for (const auto& [dtype, steps] : {std::pair{DType::Q8_0, 127.0f}, std::pair{DType::Q4_0, 8.0f}}) {
    std::vector<std::byte> rows(static_cast<std::size_t>(bytes_of(dtype, static_cast<std::int64_t>(x.size()))));
    quantize_row(dtype, x, rows.data());
    dequantize_row(dtype, rows.data(), y);
    for (std::size_t b = 0; b < x.size(); b += 32) {
      float largest = 0;  // with its sign
      for (std::size_t i = b; i < b + 32; ++i) largest = std::fabs(x[i]) > std::fabs(largest) ? x[i] : largest;
      for (std::size_t i = b; i < b + 32; ++i) {
        // Half a step, the rounding of the scale, and for Q4_0 the missing code +8.
        const bool missing = dtype == DType::Q4_0 && x[i] / largest < -7.5f / 8;
        const float bound = missing ? 1.01f : dtype == DType::Q4_0 ? 0.51f : 0.57f;
        ASSERT_LE(std::fabs(x[i] - y[i]), std::fabs(largest) / steps * bound) << name(dtype) << " " << i;
      }
    }
  }
}

TEST(Quantize, KeepsZeros) {
  const std::vector<float> x(32, 0.0f);
  std::vector<float> y(32, 1.0f);
  std::vector<std::byte> block(34);
  for (const DType dtype : {DType::Q8_0, DType::Q4_0}) {
    quantize_row(dtype, x, block.data());
    dequantize_row(dtype, block.data(), y);
    for (const float v : y) EXPECT_EQ(v, 0.0f);
    const int zero = dtype == DType::Q8_0 ? 0 : 0x88;
    for (std::size_t i = 2; i < static_cast<std::size_t>(info(dtype).block_bytes); ++i) {
      EXPECT_EQ(std::to_integer<int>(block[i]), zero) << name(dtype);
    }
  }
}

TEST(Dequantize, RefusesOtherTypes) {
  std::vector<float> row(32);
  EXPECT_FALSE(can_compute(DType::Q5_0));
  EXPECT_THROW(dequantize_row(DType::Q5_0, nullptr, row), Error);
  EXPECT_THROW(quantize_row(DType::Q6_K, row, nullptr), Error);
  row.resize(31);
  std::vector<std::byte> block(34);
  EXPECT_THROW(dequantize_row(DType::Q8_0, block.data(), row), Error);
}

/// Rows dequantized by the reference implementation, "rows.<type>.<tensor>", of the files it quantized.
TEST(Dequantize, EqualsTheRecordedRowsBitForBit) {
  const char* reference = std::getenv("TOY_REFERENCE");
  if (reference == nullptr) GTEST_SKIP() << "TOY_REFERENCE is not set";
  const std::filesystem::path folder = std::filesystem::path(reference) / "parity/quants";
  const auto golden = SafetensorsFile::open(folder / "llama-golden.safetensors");
  for (const std::string type : {"f16", "bf16", "q8_0", "q4_0", "q6_k"}) {
    const auto file = GgufFile::open(folder / ("llama-" + type + ".gguf"));
    for (const std::string tensor : {"blk.0.attn_q.weight", "blk.0.ffn_down.weight"}) {
      const TensorInfo* weight = file.find(tensor);
      ASSERT_NE(weight, nullptr);
      const std::vector<float> expected = golden.values<float>("rows." + type + "." + tensor);
      std::vector<float> rows(expected.size());
      dequantize_row(weight->dtype, file.data(*weight).data(), rows);
      EXPECT_EQ(std::memcmp(rows.data(), expected.data(), rows.size() * 4), 0) << type << " " << tensor;
    }
  }
}

}  // namespace
}  // namespace toy

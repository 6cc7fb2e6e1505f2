// Weights of every type that products multiply by.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "toy/tensor/ops/dequantize.h"

namespace toy::test {

/// What can_compute says yes to.
inline constexpr std::array weight_types = {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0, DType::Q6_K};

/// A weight in rows, of random values of its type.
struct Weight {
  DType dtype;
  std::int64_t N, K;
  std::vector<std::byte> rows;
};

inline std::vector<float> random_floats(std::int64_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = normal(engine);
  return values;
}

/// Random bytes, except for the scales: those are moderate halves.
inline void random_q6_k(std::vector<std::byte>& rows, unsigned seed) {
  std::mt19937 engine(seed);
  for (std::byte& byte : rows) byte = static_cast<std::byte>(engine());
  for (std::size_t b = 0; b < rows.size(); b += 210) {
    const std::uint16_t d = float_to_half(0.0001f + 0.00001f * static_cast<float>(engine() % 16));
    std::memcpy(&rows[b + 208], &d, 2);
  }
}

inline Weight random_weight(DType dtype, std::int64_t N, std::int64_t K, unsigned seed = 1) {
  Weight w{dtype, N, K, std::vector<std::byte>(static_cast<std::size_t>(N * bytes_of(dtype, K)))};
  if (dtype == DType::Q6_K) {
    random_q6_k(w.rows, seed);
    return w;
  }
  const std::vector<float> values = random_floats(N * K, seed);
  for (std::int64_t n = 0; n < N; ++n) {
    quantize_row(dtype, std::span(values).subspan(static_cast<std::size_t>(n * K), static_cast<std::size_t>(K)),
                 &w.rows[static_cast<std::size_t>(n * bytes_of(dtype, K))]);
  }
  return w;
}

/// Row n, exactly.
inline std::vector<float> dequantized(const Weight& w, std::int64_t n) {
  std::vector<float> row(static_cast<std::size_t>(w.K));
  dequantize_row(w.dtype, &w.rows[static_cast<std::size_t>(n * bytes_of(w.dtype, w.K))], row);
  return row;
}

}  // namespace toy::test

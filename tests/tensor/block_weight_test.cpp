// The gradient through a weight of any type is that of the product with its exact values in double; it has none itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/ops/layout.h"
#include "toy/tensor/ops/linear.h"
#include "toy/tensor/tape.h"

#include "tests/tensor/random_weight.h"

namespace toy {
namespace {

using test::Weight;

/// dx += dy W, where dy [T, N] is a part of a wider matrix: its columns from `at` on, of `stride` in all.
void add_gradient(std::vector<double>& dx, const Weight& w, const std::vector<float>& dy, std::size_t at,
                  std::size_t stride) {
  const auto K = static_cast<std::size_t>(w.K);
  for (std::int64_t n = 0; n < w.N; ++n) {
    const std::vector<float> row = test::dequantized(w, n);
    for (std::size_t t = 0; t < dx.size() / K; ++t) {
      const auto factor = static_cast<double>(dy[t * stride + at + static_cast<std::size_t>(n)]);
      for (std::size_t k = 0; k < K; ++k) dx[t * K + k] += factor * static_cast<double>(row[k]);
    }
  }
}

void expect_gradient(const Tensor& found, const std::vector<double>& expected) {
  ASSERT_TRUE(found);
  ASSERT_EQ(static_cast<std::size_t>(found.shape().elements()), expected.size());
  double top = 0, error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double off = std::fabs(static_cast<double>(found.data<float>()[i]) - expected[i]);
    error = std::isnan(off) ? INFINITY : std::max(error, off);
    top = std::max(top, std::fabs(expected[i]));
  }
  EXPECT_GT(top, 0.1);
  EXPECT_LE(error, 1e-6 * top);
}

Tensor on(Device& device, const Weight& w) {
  return Tensor::over(device, {w.N, w.K}, w.dtype, std::span(w.rows), nullptr);
}

Tensor input(Device& device, std::int64_t T, std::int64_t K) {
  Tensor x = Tensor::of(device, {T, K}, std::span<const float>(test::random_floats(T * K, 2)));
  x.set_requires_grad(true);
  return x;
}

TEST(BlockWeights, AreAllTypesThatCanBeComputed) {
  for (const DTypeInfo& type : dtype_table) {
    const bool here =
        std::find(test::weight_types.begin(), test::weight_types.end(), type.dtype) != test::weight_types.end();
    EXPECT_EQ(can_compute(type.dtype), here) << type.name;
  }
}

/// More outputs than a panel, fewer, and a panel cut short; rows that no tile divides.
TEST(BlockWeights, PassTheGradientOfTheExactProduct) {
  constexpr std::int64_t K = 256;
  for (const DType dtype : test::weight_types) {
    for (const std::int64_t N : {70, 33, 5}) {
      const Weight w = test::random_weight(dtype, N, K);
      for (const std::int64_t T : {1, 3, 17}) {
        const std::vector<float> dy = test::random_floats(T * N, 3);
        std::vector<double> expected(static_cast<std::size_t>(T * K));
        add_gradient(expected, w, dy, 0, static_cast<std::size_t>(N));
        for (const std::string_view level : cpu_levels()) {
          CpuDevice device({.threads = 2, .simd_level = std::string(level)});
          for (const bool prepared : {false, true}) {
            SCOPED_TRACE(testing::Message() << name(dtype) << " N " << N << " T " << T << " " << level
                                            << (prepared ? " prepared" : " in rows"));
            const Tensor x = input(device, T, K);
            Tape tape(device);
            tape.backward(linear(x, prepared ? device.prepare(on(device, w)) : on(device, w)),
                          Tensor::of(device, {T, N}, std::span<const float>(dy)));
            expect_gradient(tape.gradient(x), expected);
          }
        }
      }
    }
  }
}

TEST(BlockWeights, ThatShareAnInputAddTheirGradients) {
  constexpr std::int64_t T = 7, K = 512;
  for (const DType dtype : test::weight_types) {
    const Weight w = test::random_weight(dtype, 70, K), other = test::random_weight(DType::Q6_K, 41, K, 5);
    const std::vector<float> dy = test::random_floats(T * 111, 3);
    std::vector<double> expected(T * K);
    add_gradient(expected, w, dy, 0, 111);
    add_gradient(expected, other, dy, 70, 111);
    for (const std::string_view level : cpu_levels()) {
      SCOPED_TRACE(testing::Message() << name(dtype) << " " << level);
      CpuDevice device({.threads = 2, .simd_level = std::string(level)});
      const Tensor x = input(device, T, K), W = device.prepare(on(device, w)), none;
      const Tensor U = device.prepare(on(device, other));
      const std::array<LinearWeight, 2> two{LinearWeight{&W, &none}, LinearWeight{&U, &none}};
      Tape tape(device);
      tape.backward(concat(linear(x, two), 1), Tensor::of(device, {T, 111}, std::span<const float>(dy)));
      expect_gradient(tape.gradient(x), expected);
    }
  }
}

TEST(BlockWeights, HaveNoGradientThemselves) {
  CpuDevice device({.threads = 1});
  for (const DType dtype : test::weight_types) {
    if (dtype == DType::F32) continue;
    const Weight w = test::random_weight(dtype, 6, 256);
    Tensor W = on(device, w);
    W.set_requires_grad(true);
    const Tensor x = input(device, 3, 256);
    EXPECT_NO_THROW(linear(x, W)) << name(dtype) << " without a tape";
    const Tape tape(device);
    EXPECT_THROW(linear(x, W), Error) << name(dtype);
  }
}

}  // namespace
}  // namespace toy

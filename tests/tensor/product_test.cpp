// The product kernels of every SIMD level this machine can run, on every weight type.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "toy/tensor/device/cpu/level.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/linear.h"

#include "tests/tensor/random_weight.h"

namespace toy {
namespace {

using Floats = std::vector<float>;
using Bytes = std::vector<std::byte>;
using test::dequantized;
using test::random_floats;
using test::random_weight;
using test::Weight;

struct AlignedDelete {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
using Panels = std::unique_ptr<std::byte[], AlignedDelete>;

class Product : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    for (const cpu::Level& level : cpu::levels()) {
      if (level.name == GetParam()) level_ = &level;
    }
    ASSERT_NE(level_, nullptr);
    if (!level_->supported()) GTEST_SKIP() << "this processor cannot run " << GetParam();
    level_->add_kernels(kernels_);
  }

  /// A copy in the layout of the level; panels are packed in two calls to see that slices work.
  Panels prepare(const Weight& w) const {
    const std::int64_t width = std::max(1, level_->panel_width), panels = (w.N + width - 1) / width;
    const auto bytes = static_cast<std::size_t>(panels * width * bytes_of(w.dtype, w.K));
    Panels memory(static_cast<std::byte*>(::operator new[](bytes, std::align_val_t{64})));
    std::memset(memory.get(), 0xFF, bytes);
    if (level_->panel_width == 0) {
      std::memcpy(memory.get(), w.rows.data(), w.rows.size());
      return memory;
    }
    level_->pack({w.dtype, w.rows.data(), w.N, w.K, memory.get(), 0, panels / 2});
    level_->pack({w.dtype, w.rows.data(), w.N, w.K, memory.get(), panels / 2, panels});
    return memory;
  }

  Layout layout() const { return level_->panel_width == 0 ? Layout::rows : Layout::panels; }

  /// y_i = x W_i^T + b_i for weights that share x [T, K].
  std::vector<Floats> multiply(const Floats& x, std::int64_t T, const std::vector<const Weight*>& weights, int threads,
                               const Floats* bias = nullptr) const {
    LinearArgs args{};
    args.x = x.data();
    args.T = T;
    args.K = weights[0]->K;
    Bytes scratch(static_cast<std::size_t>(linear_scratch(T, args.K)) + 64);
    args.scratch = scratch.data() + (64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64);
    std::vector<Panels> panels;
    std::vector<Floats> y;
    for (const Weight* w : weights) {
      panels.push_back(prepare(*w));
      // NaN beyond the end would show what was written there.
      y.emplace_back(static_cast<std::size_t>(T * w->N + 1), std::nanf(""));
      args.outputs[static_cast<std::size_t>(args.count++)] = {
          panels.back().get(), w->dtype, layout(), w->N, bias != nullptr ? bias->data() : nullptr, y.back().data()};
    }
    kernels_.get<LinearArgs>()(args, Team{threads});
    for (Floats& values : y) {
      EXPECT_TRUE(std::isnan(values.back())) << "written beyond the end";
      values.pop_back();
    }
    return y;
  }

  Floats multiply(const Floats& x, std::int64_t T, const Weight& w, int threads, const Floats* bias = nullptr) const {
    return multiply(x, T, std::vector<const Weight*>{&w}, threads, bias).front();
  }

  const cpu::Level* level_ = nullptr;
  KernelTable kernels_;
};

/// x with every block of 32 rounded to int8, as the formula of the kernel says: largest / 127, ties to even.
Floats rounded(Floats x) {
  for (std::size_t b = 0; b < x.size(); b += 32) {
    float largest = 0;
    for (std::size_t i = b; i < b + 32; ++i) largest = std::fmax(largest, std::fabs(x[i]));
    const float inverse = largest == 0 ? 0 : 127 / largest;
    for (std::size_t i = b; i < b + 32; ++i) x[i] = std::nearbyintf(x[i] * inverse) * (largest / 127);
  }
  return x;
}

/// Largest difference to the sum in double, relative to the sum of magnitudes.
double largest_error(const Floats& y, const Floats& x, std::int64_t T, const Weight& w, const Floats* bias) {
  double worst = 0;
  for (std::int64_t n = 0; n < w.N; ++n) {
    const Floats row = dequantized(w, n);
    for (std::int64_t t = 0; t < T; ++t) {
      double sum = bias != nullptr ? (*bias)[static_cast<std::size_t>(n)] : 0, size = std::fabs(sum) + 1e-30;
      for (std::int64_t k = 0; k < w.K; ++k) {
        const double product = static_cast<double>(x[static_cast<std::size_t>(t * w.K + k)]) *
                               static_cast<double>(row[static_cast<std::size_t>(k)]);
        sum += product;
        size += std::fabs(product);
      }
      worst = std::max(worst, std::fabs(static_cast<double>(y[static_cast<std::size_t>(t * w.N + n)]) - sum) / size);
    }
  }
  return worst;
}

std::vector<std::int64_t> widths(DType dtype) {
  if (dtype == DType::Q6_K) return {256, 768, 2816};
  if (is_block(dtype)) return {32, 64, 544, 576, 2816};
  return {1, 7, 32, 300, 576, 2816};
}

TEST_P(Product, EqualsTheSumInDouble) {
  for (const DType dtype : test::weight_types) {
    for (const std::int64_t K : widths(dtype)) {
      for (const std::int64_t N : {1, 15, 50, 130}) {
        const Weight w = random_weight(dtype, N, K);
        const Floats bias = random_floats(N, 3);
        for (const std::int64_t T : {1, 2, 3, 5, 13}) {
          SCOPED_TRACE(testing::Message() << name(dtype) << " K " << K << " N " << N << " T " << T);
          const Floats x = random_floats(T * K, 2);
          const Floats y = multiply(x, T, w, 2, &bias);
          const bool rounds = is_block(dtype) && level_->panel_width > 0;
          ASSERT_LT(largest_error(y, rounds ? rounded(x) : x, T, w, &bias), K < 64 ? 1e-6 : 3e-6);
          // One unit of the rounded x is 1 / 127 of the largest of its block: half of it, averaged over the block.
          if (rounds) {
            ASSERT_LT(largest_error(y, x, T, w, &bias), 0.5 / 127 * 3);
          }
        }
      }
    }
  }
}

TEST_P(Product, HasTheSameBytesForAnyRowsThreadsAndNeighbours) {
  const bool plain = GetParam() == "ref";  // plain loops are slow and have few cases
  for (const DType dtype : test::weight_types) {
    for (const std::int64_t K : {dtype == DType::Q6_K ? 256L : 32L, dtype == DType::Q6_K ? 768L : 800L, 2816L}) {
      if (plain && K == 2816) continue;
      const Weight w = random_weight(dtype, 150, K), other = random_weight(DType::Q8_0, 70, K, 5);
      const std::int64_t most = plain ? 13 : 300;
      const Floats x = random_floats(most * K, 2);
      const Floats all = multiply(x, most, w, 1);
      for (const std::int64_t T : {1, 2, 3, 4, 5, 6, 7, 8, 13, 64, 100, 300}) {
        if (T > most) continue;
        const std::int64_t first = most - T;  // so that row t is not row t of the tile
        const Floats rows(x.begin() + first * K, x.end());
        for (const int threads : {1, 2, 3}) {
          SCOPED_TRACE(testing::Message() << name(dtype) << " K " << K << " T " << T << " threads " << threads);
          const auto y = multiply(rows, T, {&other, &w}, threads);
          ASSERT_EQ(std::memcmp(y[1].data(), &all[static_cast<std::size_t>(first * w.N)], y[1].size() * 4), 0);
        }
      }
    }
  }
}

TEST_P(Product, TakesExtremeBytes) {
  const std::int64_t K = 64, N = 40;
  Weight w{DType::Q8_0, N, K, Bytes(static_cast<std::size_t>(N * bytes_of(DType::Q8_0, K)))};
  for (std::size_t i = 0; i < w.rows.size(); ++i) w.rows[i] = std::byte{0x80};
  const std::uint16_t one = float_to_half(1);
  for (std::size_t b = 0; b < w.rows.size(); b += 34) std::memcpy(&w.rows[b], &one, 2);
  for (const float sign : {1.0f, -1.0f}) {
    const Floats x(static_cast<std::size_t>(K), 127 * sign);
    for (const float y : multiply(x, 1, w, 1)) ASSERT_EQ(y, -128.0f * 127 * 64 * sign);
  }
}

TEST_P(Product, ShowsNotANumber) {
  for (const DType dtype : test::weight_types) {
    const Weight w = random_weight(dtype, 20, 512);
    for (const float bad : {std::nanf(""), INFINITY}) {
      Floats x = random_floats(2 * 512, 2);
      x[3] = bad;
      const Floats y = multiply(x, 2, w, 1);
      for (std::size_t n = 0; n < 20; ++n) {
        EXPECT_FALSE(std::isfinite(y[n])) << name(dtype);
        EXPECT_TRUE(std::isfinite(y[20 + n])) << name(dtype);
      }
    }
  }
}

TEST_P(Product, GathersTheDequantizedRows) {
  for (const DType dtype : test::weight_types) {
    const std::int64_t K = dtype == DType::Q6_K ? 512 : 96, N = 75;
    const Weight w = random_weight(dtype, N, K);
    const Panels panels = prepare(w);
    std::vector<std::int32_t> ids;
    for (std::int32_t n = N - 1; n >= 0; --n) ids.push_back(n);
    Floats y(static_cast<std::size_t>(N * K));
    kernels_.get<GatherArgs>()({panels.get(), dtype, layout(), N, K, ids.data(), y.data(), N}, Team{2});
    for (std::int64_t t = 0; t < N; ++t) {
      const Floats row = dequantized(w, ids[static_cast<std::size_t>(t)]);
      ASSERT_EQ(std::memcmp(row.data(), &y[static_cast<std::size_t>(t * K)], row.size() * 4), 0) << name(dtype);
    }
  }
}

TEST_P(Product, WidensEveryHalf) {
  Weight w{DType::F16, 65536, 1, Bytes(2 * 65536)};
  for (std::size_t i = 0; i < 65536; ++i) {
    const auto h = static_cast<std::uint16_t>(i);
    std::memcpy(&w.rows[2 * i], &h, 2);
  }
  const Floats y = multiply({1.0f}, 1, w, 1);
  for (std::size_t i = 0; i < 65536; ++i) {
    const float expected = half_to_float(static_cast<std::uint16_t>(i));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(y[i])) << i;
    } else {
      ASSERT_EQ(y[i], expected) << i;
    }
  }
}

std::vector<std::string> level_names() {
  std::vector<std::string> names;
  for (const cpu::Level& level : cpu::levels()) names.emplace_back(level.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Levels, Product, testing::ValuesIn(level_names()), [](const auto& i) { return i.param; });

}  // namespace
}  // namespace toy

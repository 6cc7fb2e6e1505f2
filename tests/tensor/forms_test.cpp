// Kernels in every form of their micro-kernels: the same bytes, whichever a machine finds the fastest.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/device/cpu/tuning.h"
#include "toy/tensor/error.h"
#include "toy/tensor/ops/attention.h"
#include "toy/tensor/ops/linear.h"
#include "toy/tensor/tape.h"

#include "tests/tensor/random_weight.h"

namespace toy {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(const Tensor& t) {
  const std::byte* begin = t.raw();
  return {begin, begin + t.bytes()};
}

Tensor random(Device& device, const Shape& shape, unsigned seed) {
  const std::vector<float> numbers = test::random_floats(shape.elements(), seed);
  Tensor t = Tensor::of(device, shape, std::span<const float>(numbers));
  t.set_requires_grad(true);
  return t;
}

/// The forms of each level that has them.
std::map<std::string, std::vector<std::string>> forms_of_levels() {
  std::map<std::string, std::vector<std::string>> levels;
  for (const std::string& name : cpu_levels_and_forms()) {
    if (const auto colon = name.find(':'); colon != std::string::npos) levels[name.substr(0, colon)].push_back(name);
  }
  return levels;
}

/// compute(device) in each form of each level gives the bytes of the first, and of the one that is measured.
template <class F>
void expect_equal_forms(const F& compute, const std::string& what) {
  for (const auto& [level, names] : forms_of_levels()) {
    EXPECT_EQ(names.size(), broadcast_names.size()) << level;
    CpuDevice measured({.threads = 2, .simd_level = level});
    const std::vector<Bytes> expected = compute(measured);
    for (const std::string& name : names) {
      CpuDevice device({.threads = 2, .simd_level = name});
      EXPECT_TRUE(compute(device) == expected) << what << " at " << name;
    }
  }
}

TEST(Forms, EveryLevelOfWideRegistersHasBoth) {
  for (const std::string_view name : cpu_levels()) {
    EXPECT_EQ(forms_of_levels().contains(std::string(name)), name.starts_with("v4")) << name;
  }
}

/// Whole tiles, tiles at edges, slices of k, one row and many.
TEST(Forms, OfProductsOfPreparedWeightsGiveTheSameBytes) {
  constexpr std::int64_t K = 768;
  for (const DType dtype : test::weight_types) {
    for (const std::int64_t N : {96, 45}) {
      const test::Weight w = test::random_weight(dtype, N, K);
      for (const std::int64_t T : {1, 2, 5, 8, 12, 24, 150}) {
        const auto compute = [&](CpuDevice& device) {
          const Tensor rows = Tensor::over(device, {N, K}, dtype, std::span(w.rows), nullptr);
          return std::vector<Bytes>{bytes_of(linear(random(device, {T, K}, 2), device.prepare(rows)))};
        };
        expect_equal_forms(compute, std::string(name(dtype)) + " N " + std::to_string(N) + " T " + std::to_string(T));
      }
    }
  }
}

TEST(Forms, OfTrainedProductsGiveTheSameBytes) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    for (const auto& [T, K, N] :
         std::vector<std::array<std::int64_t, 3>>{{12, 32, 32}, {50, 1120, 100}, {601, 19, 37}}) {
      const auto compute = [&](CpuDevice& device) {
        const Tensor x = random(device, {T, K}, 1), W = random(device, {N, K}, 2), b = random(device, {N}, 3);
        Tape tape(device, {precision});
        const Tensor y = linear(x, W, b);
        tape.backward(y, random(device, {T, N}, 4));
        return std::vector<Bytes>{bytes_of(y), bytes_of(tape.gradient(x)), bytes_of(tape.gradient(W)),
                                  bytes_of(tape.gradient(b))};
      };
      expect_equal_forms(compute, (precision == Precision::f32 ? "f32 T " : "bf16 T ") + std::to_string(T));
    }
  }
}

struct Sizes {
  std::int64_t kv_heads, group, d;
};

TEST(Forms, OfAttentionAndItsGradientGiveTheSameBytes) {
  constexpr std::int64_t T = 130;
  for (const auto& [kv_heads, group, d] : {Sizes{2, 3, 64}, {1, 1, 32}, {1, 5, 96}, {2, 1, 40}}) {
    const std::vector<Segment> segments{{0, 40, 0}, {40, 90, 0}};
    const auto compute = [&, kv_heads = kv_heads, group = group, d = d](CpuDevice& device) {
      const Tensor q = random(device, {T, kv_heads * group * d}, 1);
      KeyValues kv;
      kv.kv_heads = kv_heads;
      kv.d = d;
      kv.k = random(device, {T, kv_heads * d}, 2);
      kv.v = random(device, {T, kv_heads * d}, 3);
      Tape tape(device);
      const Tensor y = attention(q, kv, segments, 0.2F);
      tape.backward(y, random(device, q.shape(), 4));
      return std::vector<Bytes>{bytes_of(y), bytes_of(tape.gradient(q)), bytes_of(tape.gradient(kv.k)),
                                bytes_of(tape.gradient(kv.v))};
    };
    expect_equal_forms(compute, "d " + std::to_string(d));
  }
}

TEST(Forms, OfAttentionOverStoredKeysGiveTheSameBytes) {
  constexpr std::int64_t T = 80, kv_heads = 2, d = 64;
  for (const DType dtype : {DType::F32, DType::F16, DType::Q8_0}) {
    const auto compute = [&](CpuDevice& device) {
      std::vector<Bytes> memory(2, Bytes(static_cast<std::size_t>(page_bytes(dtype, kv_heads, d))));
      std::byte* pages[] = {memory[0].data(), memory[1].data()};
      const std::vector<Segment> segments{{0, T, 0}};
      KeyValues kv;
      kv.dtype = dtype;
      kv.kv_heads = kv_heads;
      kv.d = d;
      kv.pages = {pages};
      append(random(device, {T, kv_heads * d}, 1), random(device, {T, kv_heads * d}, 2), segments, kv);
      return std::vector<Bytes>{bytes_of(attention(random(device, {T, 3 * kv_heads * d}, 3), kv, segments, 0.2F))};
    };
    expect_equal_forms(compute, std::string(name(dtype)));
  }
}

TEST(Forms, ThatAreMeasuredAreThoseOfTheDevice) {
  for (const cpu::Level& level : cpu::levels()) {
    if (!level.supported()) continue;
    const auto speeds = micro_kernel_speeds(level, 1, 1);
    EXPECT_EQ(speeds.empty(), level.run_micro_kernel == nullptr) << level.name;
    for (const cpu::MicroKernelSpeed& s : speeds) {
      EXPECT_GT(s.operations_per_second, 0) << level.name;
      EXPECT_TRUE(s.form == Broadcast::in_register || level.has_forms(s.kernel)) << level.name;
    }
    if (!cpu::has_forms(level)) continue;
    for (const Broadcast form : {Broadcast::from_memory, Broadcast::in_register}) {
      const std::string_view text = broadcast_names[static_cast<std::size_t>(form)];
      const CpuDevice device({.threads = 1, .simd_level = std::string(level.name) + ":" + std::string(text)});
      EXPECT_EQ(device.simd_level(), level.name);
      EXPECT_EQ(device.team().forms()[MicroKernel::attention], form);
      EXPECT_EQ(cpu::forms_text(level, device.team().forms()), text);
      Forms mixed(form);
      mixed.set(MicroKernel::attention,
                form == Broadcast::from_memory ? Broadcast::in_register : Broadcast::from_memory);
      EXPECT_NE(cpu::forms_text(level, mixed).find(" for attention, " + std::string(text) + " for the others"),
                std::string::npos)
          << cpu::forms_text(level, mixed);
    }
  }
}

TEST(Forms, ThatALevelDoesNotHaveAreRefused) {
  for (const std::string level : {"ref:memory", "v9:memory", ":memory", "ref:"}) {
    EXPECT_NE(cpu_level_problem(level), "") << level;
    EXPECT_THROW(CpuDevice({.threads = 1, .simd_level = level}), Error) << level;
  }
  for (const auto& [level, names] : forms_of_levels()) {
    EXPECT_EQ(cpu_level_problem(level + ":fast"), "expected a form of " + level + " (memory, register)");
    EXPECT_THROW(CpuDevice({.threads = 1, .simd_level = level + ":"}), Error);
  }
  EXPECT_EQ(cpu_level_problem("ref:memory"), "expected ref without a form, as it has one alone");
}

}  // namespace
}  // namespace toy

// What a long sequence and a large vocabulary take: the loss has no matrix of all logits, attention none of all scores.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <random>
#include <string>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/ops/attention.h"
#include "toy/tensor/ops/cross_entropy.h"
#include "toy/tensor/tape.h"

#include "tests/peak.h"
#include "tests/sanitized.h"

namespace toy {
namespace {

constexpr std::int64_t MiB = 1 << 20;
/// Of 2 MiB each: the end of an arena, and the stack of a thread.
constexpr std::int64_t large_pages = 4 * MiB;

/// Runs f as a step of a device that has its inputs: the arenas, and the process with whatever kernels allocate
/// themselves, take at most `most` bytes more.
void expect_at_most(std::int64_t most, CpuDevice& device, const std::function<void()>& f) {
  const DeviceStep step(device);
  const std::int64_t before = device.activation_peak_bytes(), kept = device.kept_bytes();
  const bool measured = !testing::sanitized() && testing::forget_peak();  // sanitizers take memory of their own
  const std::int64_t process = testing::peak_bytes();
  f();
  EXPECT_LE(device.activation_peak_bytes() - before + device.kept_bytes() - kept, most) << device.simd_level();
  EXPECT_GT(device.activation_peak_bytes(), before);
  if (measured) {
    EXPECT_LE(testing::peak_bytes() - process, most + large_pages) << device.simd_level() << ", the process";
  }
}

Tensor random(Device& device, Shape shape) {
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(shape.elements()));
  for (float& v : x) v = normal(generator);
  Tensor t = Tensor::of(device, shape, std::span<const float>(x));
  t.set_requires_grad(true);
  return t;
}

/// All logits would be 39 MiB, and 78 of twice the tokens; 4 MiB of them exist together, beside the head in panels.
TEST(LongSequences, LossStoresNotAllLogits) {
  constexpr std::int64_t D = 8, V = 20000;
  for (const std::string_view level : cpu_levels()) {
    for (const std::int64_t T : {512, 1024}) {
      if (level == "ref" && T > 512) continue;  // plain loops are slow
      CpuDevice device({.threads = 2, .simd_level = std::string(level)});
      const Tensor h = random(device, {T, D}), W = random(device, {V, D});
      const std::vector<std::int32_t> sevens(static_cast<std::size_t>(T), 7);
      const Tensor targets = Tensor::of(device, {T}, std::span<const std::int32_t>(sevens));
      expect_at_most(6 * MiB, device, [&] { (void)cross_entropy(h, W, targets); });
      expect_at_most(9 * MiB, device, [&] {
        Tape tape(device);
        tape.backward(cross_entropy(h, W, targets));
        EXPECT_TRUE(tape.gradient(h));
        EXPECT_TRUE(tape.gradient(W));
      });
    }
  }
}

/// The scores of one head would be 16 MiB, and 64 of twice the tokens; a token may take 2 KiB, whatever their number.
TEST(LongSequences, AttentionStoresNotAllScores) {
  constexpr std::int64_t heads = 4, kv_heads = 2, d = 16;
  for (const std::string_view level : cpu_levels()) {
    for (const std::int64_t T : {2048, 4096}) {
      if (level == "ref" && T > 2048) continue;
      CpuDevice device({.threads = 2, .simd_level = std::string(level)});
      const std::vector<Segment> segments{{0, T, 0}};
      const Tensor q = random(device, {T, heads * d}), dy = random(device, {T, heads * d});
      KeyValues kv;
      kv.kv_heads = kv_heads;
      kv.d = d;
      kv.k = random(device, {T, kv_heads * d});
      kv.v = random(device, {T, kv_heads * d});
      expect_at_most(2048 * T, device, [&] {
        Tape tape(device);
        tape.backward(attention(q, kv, segments, 0.25F), dy);
        for (const Tensor& x : {q, kv.k, kv.v}) EXPECT_TRUE(tape.gradient(x));
      });
    }
  }
}

}  // namespace
}  // namespace toy

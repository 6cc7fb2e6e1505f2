// Every kernel of every level against its formula in double.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/ops/activation.h"
#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/attention.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/linear.h"
#include "toy/tensor/ops/norm.h"
#include "toy/tensor/ops/rope.h"
#include "toy/tensor/ops/softmax.h"

namespace toy {
namespace {

class Ops : public testing::TestWithParam<std::string> {
 protected:
  Ops() : device_({.threads = 2, .simd_level = GetParam()}) {}

  Tensor random(Shape shape, float scale = 1) {
    std::vector<float> x(static_cast<std::size_t>(shape.elements()));
    std::normal_distribution<float> normal(0, scale);
    for (float& v : x) v = normal(generator_);
    return Tensor::of(device_, shape, std::span<const float>(x));
  }
  /// |found - expected| within tolerance * (1 + |expected|), element by element.
  static void expect_near(const Tensor& found, const Tensor& expected, double tolerance) {
    ASSERT_EQ(found.shape(), expected.shape());
    for (std::int64_t i = 0; i < found.shape().elements(); ++i) {
      const auto e = static_cast<double>(expected.data<float>()[i]);
      ASSERT_NEAR(static_cast<double>(found.data<float>()[i]), e, tolerance * (1 + std::fabs(e))) << i;
    }
  }

  CpuDevice device_;
  std::mt19937 generator_{3};
  const std::vector<Shape> shapes_{{1, 1}, {1, 7}, {3, 16}, {2, 33}, {5, 576}, {64, 1000}};
};

TEST_P(Ops, Elementwise) {
  for (const Shape& shape : shapes_) {
    const Tensor a = random(shape, 4), b = random(shape), expected = Tensor::empty(device_, shape);
    const std::int64_t n = shape.elements();
    add_ref<double>({a.data<float>(), b.data<float>(), expected.data<float>(), n});
    expect_near(a + b, expected, 1e-7);
    swiglu_ref<double>({a.data<float>(), b.data<float>(), expected.data<float>(), n});
    expect_near(swiglu(a, b), expected, 2e-6);
    gelu_ref<double>({a.data<float>(), expected.data<float>(), n});
    expect_near(gelu(a), expected, 2e-6);
  }
}

TEST_P(Ops, ElementwiseAtTheEnds) {
  const std::vector<float> ends{0.0F, -0.0F, 1e-30F, 80, -80, 100, -100, 1e4F, -1e4F};
  const Shape shape{static_cast<std::int64_t>(ends.size())};
  const Tensor x = Tensor::of(device_, shape, std::span<const float>(ends)), expected = Tensor::empty(device_, shape);
  gelu_ref<double>({x.data<float>(), expected.data<float>(), shape[0]});
  expect_near(gelu(x), expected, 1e-6);
  swiglu_ref<double>({x.data<float>(), x.data<float>(), expected.data<float>(), shape[0]});
  expect_near(swiglu(x, x), expected, 1e-6);
}

TEST_P(Ops, Norms) {
  for (const Shape& shape : shapes_) {
    const std::int64_t T = shape[0], D = shape[1];
    const Tensor x = random(shape, 3), w = random({D}), b = random({D}), expected = Tensor::empty(device_, shape);
    rms_norm_ref<double>({x.data<float>(), w.data<float>(), expected.data<float>(), T, D, 1e-5F});
    expect_near(rms_norm(x, w, 1e-5F), expected, 2e-6);
    layer_norm_ref<double>({x.data<float>(), w.data<float>(), b.data<float>(), expected.data<float>(), T, D, 1e-5F});
    expect_near(layer_norm(x, w, b, 1e-5F), expected, 2e-5);
  }
}

TEST_P(Ops, LogSoftmax) {
  for (const Shape& shape : shapes_) {
    const Tensor x = random(shape, 5), expected = Tensor::empty(device_, shape);
    log_softmax_ref<double>({x.data<float>(), expected.data<float>(), shape[0], shape[1]});
    expect_near(log_softmax(x), expected, 1e-6);
  }
}

TEST_P(Ops, Rope) {
  const std::int64_t T = 5, heads = 3, d = 10, R = 6;
  const std::vector<std::int32_t> places{0, 1, 2, 70, 5000};
  const Tensor positions = Tensor::of(device_, {T}, std::span<const std::int32_t>(places));
  const Tensor turns = angles(positions, random({R / 2}), 1.25F), x = random({T, heads * d});
  for (const Pairing pairing : {Pairing::interleaved, Pairing::halves}) {
    const Tensor expected = Tensor::empty(device_, x.shape());
    rope_ref<double>({x.data<float>(), turns.data<float>(), expected.data<float>(), T, heads, d, R, pairing});
    expect_near(rope(x, turns, d, pairing), expected, 1e-6);
  }
}

TEST_P(Ops, GatherOfRows) {
  const Tensor w = random({9, 40});
  const std::vector<std::int32_t> ids{8, 0, 3, 3};
  const Tensor y = gather(w, Tensor::of(device_, {4}, std::span<const std::int32_t>(ids)));
  const Tensor prepared = gather(device_.prepare(w), Tensor::of(device_, {4}, std::span<const std::int32_t>(ids)));
  for (std::int64_t t = 0; t < 4; ++t) {
    for (std::int64_t i = 0; i < 40; ++i) {
      const float expected = w.data<float>()[ids[static_cast<std::size_t>(t)] * 40 + i];
      EXPECT_EQ(y.data<float>()[t * 40 + i], expected);
      EXPECT_EQ(prepared.data<float>()[t * 40 + i], expected);
    }
  }
  const std::vector<std::int32_t> bad{9};
  EXPECT_THROW(gather(w, Tensor::of(device_, {1}, std::span<const std::int32_t>(bad))), Error);
}

/// Two sequences, one with a past, appended in two steps and read from pages of every type.
TEST_P(Ops, AttentionOverStoredAndPlainKeys) {
  for (const auto& [kv_heads, group, d] : {std::tuple{2, 3, 64}, {1, 1, 32}, {1, 5, 96}, {2, 1, 32}, {1, 60, 32}}) {
    const std::int64_t heads = kv_heads * group;
    for (const DType dtype : {DType::F32, DType::F16, DType::Q8_0}) {
      const std::vector<Segment> first{{0, 80, 0}}, both{{0, 50, 80}, {50, 70, 0}};
      std::vector<std::vector<std::byte>> memory(
          5, std::vector<std::byte>(static_cast<std::size_t>(page_bytes(dtype, kv_heads, d))));
      std::byte* pages[5];
      for (std::size_t i = 0; i < 5; ++i) pages[i] = memory[i].data();
      KeyValues kv;
      kv.dtype = dtype;
      kv.kv_heads = kv_heads;
      kv.d = d;
      kv.pages = {pages};
      append(random({80, kv_heads * d}), random({80, kv_heads * d}), first, kv);
      kv.pages = {pages, pages + 3};
      append(random({120, kv_heads * d}), random({120, kv_heads * d}), both, kv);
      const Tensor q = random({120, heads * d}), expected = Tensor::empty(device_, q.shape());
      const float scale = 1 / std::sqrt(static_cast<float>(d));
      attention_ref<double>({q.data<float>(), expected.data<float>(), both, &kv, heads, scale, nullptr, nullptr});
      expect_near(attention(q, kv, both, scale), expected, 1e-5);
    }
    KeyValues rows;
    rows.kv_heads = kv_heads;
    rows.d = d;
    rows.k = random({90, kv_heads * d});
    rows.v = random({90, kv_heads * d});
    const std::vector<Segment> segments{{0, 20, 0}, {20, 70, 0}};
    const Tensor q = random({90, heads * d}, 3), expected = Tensor::empty(device_, q.shape());
    attention_ref<double>({q.data<float>(), expected.data<float>(), segments, &rows, heads, 0.3F, nullptr, nullptr});
    expect_near(attention(q, rows, segments, 0.3F), expected, 2e-5);  // scores up to 30
  }
}

/// A value beyond the range of halves must not reach the tokens before it.
TEST_P(Ops, HalvesSaturate) {
  const Tensor k = random({2, 32}), q = random({2, 32});
  std::vector<float> values(64, 1);
  std::fill(values.begin() + 32, values.end(), 1e6F);
  const Tensor v = Tensor::of(device_, {2, 32}, std::span<const float>(values));
  std::vector<std::byte> memory(static_cast<std::size_t>(page_bytes(DType::F16, 1, 32)));
  std::byte* page = memory.data();
  KeyValues kv;
  kv.dtype = DType::F16;
  kv.kv_heads = 1;
  kv.d = 32;
  kv.pages = {&page};
  const std::vector<Segment> segments{{0, 2, 0}};
  append(k, v, segments, kv);
  const Tensor y = attention(q, kv, segments, 1);
  EXPECT_EQ(y.data<float>()[0], 1);
  EXPECT_EQ(value_at(kv, segments[0], 0, 0, 1, 0), 65504);
}

TEST_P(Ops, StoredNumbersAreRoundedOnce) {
  const Tensor k = random({3, 64}), v = random({3, 64});
  const std::vector<Segment> segments{{0, 3, 0}};
  for (const auto& [dtype, tolerance] : {std::pair{DType::F32, 0.0}, {DType::F16, 1.0 / 2048}, {DType::Q8_0, 0.02}}) {
    std::vector<std::byte> memory(static_cast<std::size_t>(page_bytes(dtype, 2, 32)));
    std::byte* page = memory.data();
    KeyValues kv;
    kv.dtype = dtype;
    kv.kv_heads = 2;
    kv.d = 32;
    kv.pages = {&page};
    append(k, v, segments, kv);
    for (std::int64_t i = 0; i < 3 * 64; ++i) {
      const auto x = static_cast<double>(k.data<float>()[i]), y = static_cast<double>(v.data<float>()[i]);
      EXPECT_NEAR(static_cast<double>(key_at(kv, segments[0], 0, i % 64 / 32, i / 64, i % 32)), x,
                  tolerance * (dtype == DType::Q8_0 ? 1 : std::fabs(x)));
      EXPECT_NEAR(static_cast<double>(value_at(kv, segments[0], 0, i % 64 / 32, i / 64, i % 32)), y,
                  tolerance * (dtype == DType::Q8_0 ? 1 : std::fabs(y)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, Ops, testing::ValuesIn(cpu_levels_and_forms()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

TEST(OpTable, EveryOpHasAKernelOnEveryLevel) {
  const std::vector<Op> all = CpuDevice({.simd_level = "ref"}).kernels().ops();
  EXPECT_GE(all.size(), 49U);
  for (const std::string_view level : cpu_levels()) {
    const CpuDevice device({.threads = 1, .simd_level = std::string(level)});
    EXPECT_EQ(device.kernels().ops().size(), all.size()) << level;
    for (const Op& op : all) EXPECT_TRUE(device.kernels().has(op.name, DType::F32)) << level << " " << op.name;
  }
}

TEST(OpTable, AnOpWithoutGradientRefusesAnInputThatWantsOne) {
  CpuDevice device({.threads = 1});
  Tensor x = Tensor::empty(device, {1});
  x.set_requires_grad(true);
  const Tensor* inputs[] = {&x};
  const std::vector<Op> all = device.kernels().ops();
  for (const Op& op : all) EXPECT_NO_THROW(check_inputs(op, inputs)) << op.name << " without a tape";
  const Tape tape(device);
  for (const Op& op : all) {
    if (op.has_gradient) {
      EXPECT_NO_THROW(check_inputs(op, inputs)) << op.name;
    } else {
      EXPECT_THROW(check_inputs(op, inputs), Error) << op.name;
    }
  }
}

TEST(OpTable, ShapeErrorsNameOpRuleAndShapes) {
  CpuDevice device({.threads = 1});
  try {
    (void)(Tensor::empty(device, {2, 3}) + Tensor::empty(device, {3, 2}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "add: axes differ and neither is 1 (found F32 [2, 3], F32 [3, 2])");
  }
}

TEST(Prepare, LeavesMemoryOfOthersAlone) {
  CpuDevice device({.threads = 2});
  const std::vector<float> weight(64 * 4096, 1.0F), x(4096, 1.0F);
  const Tensor w = Tensor::over(device, {64, 4096}, DType::F32, std::as_bytes(std::span(weight)), nullptr);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(linear(Tensor::of(device, {1, 4096}, std::span<const float>(x)), w).data<float>()[63], 4096);
  }
  EXPECT_EQ(weight[2048], 1);
}

TEST(Levels, UnknownNamesTheKnown) { EXPECT_THROW(CpuDevice({.threads = 1, .simd_level = "sparc"}), Error); }

}  // namespace
}  // namespace toy

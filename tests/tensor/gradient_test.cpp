// Gradients: of every op along a random direction in double, on every level against double, and of the tape.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/device/trace/trace_device.h"
#include "toy/tensor/ops/activation.h"
#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/cross_entropy.h"
#include "toy/tensor/ops/elementwise.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/layout.h"
#include "toy/tensor/ops/linear.h"
#include "toy/tensor/ops/reduce.h"
#include "toy/tensor/ops/rope.h"
#include "toy/tensor/tape.h"

#include "tests/tensor/op_cases.h"

namespace toy {
namespace {

using test::OpCase;

using Numbers = std::vector<std::vector<double>>;

Numbers random_inputs(const OpCase& c, std::uint32_t seed, double shift) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  Numbers all;
  for (const Shape& shape : c.shapes) {
    std::vector<double> x(static_cast<std::size_t>(shape.elements()));
    for (double& v : x) v = normal(generator) + shift;
    all.push_back(std::move(x));
  }
  return all;
}

/// The inputs on a device, as F32 or F64, each wanting its gradient.
std::vector<Tensor> tensors(Device& device, const OpCase& c, const Numbers& numbers, DType dtype) {
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::vector<float> narrow(numbers[i].begin(), numbers[i].end());
    all.push_back(dtype == DType::F64 ? Tensor::of(device, c.shapes[i], std::span<const double>(numbers[i]))
                                      : Tensor::of(device, c.shapes[i], std::span<const float>(narrow)));
    all.back().set_requires_grad(true);
  }
  return all;
}

std::vector<double> values(const Tensor& x) {
  if (x.dtype() == DType::F64) return {x.values<double>().begin(), x.values<double>().end()};
  return {x.values<float>().begin(), x.values<float>().end()};
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double s = 0;
  for (std::size_t i = 0; i < a.size(); ++i) s += a[i] * b[i];
  return s;
}

/// A direction in the output, the same for every run of the case.
std::vector<double> output_direction(std::int64_t n) {
  std::mt19937 generator(99);
  std::normal_distribution<double> normal;
  std::vector<double> u(static_cast<std::size_t>(n));
  for (double& v : u) v = normal(generator);
  return u;
}

struct Result {
  std::vector<double> y;
  Numbers gradients;
};

Result run_case(Device& device, const OpCase& c, const Numbers& numbers, DType dtype, bool plain = false) {
  Tape tape(device);
  const std::vector<Tensor> x = tensors(device, c, numbers, dtype);
  const Tensor y = plain ? c.plain(x) : c.f(x);
  const std::vector<double> u = output_direction(y.shape().elements());
  const std::vector<float> narrow(u.begin(), u.end());
  tape.backward(y, dtype == DType::F64 ? Tensor::of(device, y.shape(), std::span<const double>(u))
                                       : Tensor::of(device, y.shape(), std::span<const float>(narrow)));
  Result r{values(y), {}};
  for (const Tensor& t : x) {
    EXPECT_TRUE(tape.gradient(t)) << c.op << ": an input has no gradient";
    r.gradients.push_back(tape.gradient(t) ? values(tape.gradient(t)) : std::vector<double>{});
  }
  return r;
}

void expect_close(const std::vector<double>& found, const std::vector<double>& expected, double tolerance,
                  const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  double top = 0, error = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    top = std::max(top, std::fabs(expected[i]));
    error = std::isnan(found[i]) ? INFINITY : std::max(error, std::fabs(found[i] - expected[i]));
  }
  EXPECT_LE(error, tolerance * std::max(top, 1e-3)) << what;
}

TEST(Gradient, EveryOpAlongARandomDirection) {
  CpuDevice device({.threads = 2});
  for (const OpCase& c : test::op_cases()) {
    const Numbers x = random_inputs(c, 1, c.shift), direction = random_inputs(c, 2, 0);
    const Result r = run_case(device, c, x, DType::F64);
    const std::vector<double> u = output_direction(static_cast<std::int64_t>(r.y.size()));
    double expected = 0, size = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      expected += dot(r.gradients[i], direction[i]);
      size += std::sqrt(dot(r.gradients[i], r.gradients[i]));
    }
    const auto along = [&](double step) {
      Numbers moved = x;
      for (std::size_t i = 0; i < x.size(); ++i) {
        for (std::size_t j = 0; j < x[i].size(); ++j) moved[i][j] += step * direction[i][j];
      }
      return dot(values(c.f(tensors(device, c, moved, DType::F64))), u);
    };
    const double h = 1e-5, found = (along(h) - along(-h)) / (2 * h);
    EXPECT_NEAR(found, expected, 1e-7 * (1 + size)) << c.op << " " << c.shapes[0].str();
    EXPECT_GT(size, 1e-3) << c.op << ": a gradient of nothing shows nothing";
  }
}

TEST(Gradient, FusedOpsAreTheirPlainOps) {
  CpuDevice device({.threads = 2});
  for (const OpCase& c : test::op_cases()) {
    if (!c.plain) continue;
    const Numbers x = random_inputs(c, 3, c.shift);
    const Result fused = run_case(device, c, x, DType::F64), plain = run_case(device, c, x, DType::F64, true);
    expect_close(fused.y, plain.y, 1e-10, c.op);
    for (std::size_t i = 0; i < x.size(); ++i) expect_close(fused.gradients[i], plain.gradients[i], 1e-10, c.op);
  }
}

/// Element number `place` of a shape, by its axes.
test::Index index_of(const Shape& shape, std::int64_t place) {
  test::Index index{};
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[static_cast<std::size_t>(axis)] = place % shape[axis];
    place /= shape[axis];
  }
  return index;
}

TEST(Gradient, PlainOpsAreTheirDefinitions) {
  CpuDevice device({.threads = 2});
  for (const OpCase& c : test::op_cases()) {
    ASSERT_NE(static_cast<bool>(c.plain), static_cast<bool>(c.definition.element))
        << c.op << ": a case has a plain form or a definition";
    if (c.plain) continue;
    const Numbers x = random_inputs(c, 6, c.shift);
    std::vector<test::Array> arrays;
    for (std::size_t i = 0; i < x.size(); ++i) arrays.push_back({c.shapes[i], x[i]});
    const Tensor y = c.f(tensors(device, c, x, DType::F64));
    ASSERT_EQ(y.shape(), c.definition.shape) << c.op;
    std::vector<double> expected;
    for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
      expected.push_back(c.definition.element(arrays, index_of(y.shape(), i)));
    }
    expect_close(values(y), expected, 1e-12, c.op + " " + c.shapes[0].str());
  }
}

TEST(Gradient, EveryLevelAgreesWithDouble) {
  CpuDevice exact({.threads = 2, .simd_level = "ref"});
  for (const OpCase& c : test::op_cases()) {
    const Numbers x = random_inputs(c, 4, c.shift);
    const Result expected = run_case(exact, c, x, DType::F64);
    for (const std::string& level : cpu_levels_and_forms()) {
      CpuDevice device({.threads = 2, .simd_level = level});
      const Result found = run_case(device, c, x, DType::F32);
      const std::string what = c.op + " " + c.shapes[0].str() + " on " + level;
      expect_close(found.y, expected.y, c.tolerance, what);
      for (std::size_t i = 0; i < x.size(); ++i) {
        expect_close(found.gradients[i], expected.gradients[i], c.tolerance, what);
      }
    }
  }
}

TEST(Gradient, SameBytesForAnyNumberOfThreads) {
  for (const OpCase& c : test::op_cases()) {
    const Numbers x = random_inputs(c, 5, c.shift);
    CpuDevice one({.threads = 1});
    const Result expected = run_case(one, c, x, DType::F32);
    for (const int threads : {2, 3}) {
      CpuDevice device({.threads = threads});
      const Result found = run_case(device, c, x, DType::F32);
      EXPECT_EQ(found.y, expected.y) << c.op << " " << threads;
      EXPECT_EQ(found.gradients, expected.gradients) << c.op << " " << threads;
    }
  }
}

/// A device that computes nothing runs the shape rules of the op and of its gradient, and writes the op down.
TEST(Gradient, EveryCaseIsRecordedByTheTrace) {
  CpuDevice cpu({.threads = 1});
  for (const OpCase& c : test::op_cases()) {
    const Numbers x = random_inputs(c, 7, c.shift);
    const Shape expected = c.f(tensors(cpu, c, x, DType::F32)).shape();
    TraceDevice trace;
    Tape tape(trace);
    const std::vector<Tensor> inputs = tensors(trace, c, x, DType::F32);
    const Tensor y = c.f(inputs);
    EXPECT_EQ(y.shape(), expected) << c.op;
    std::set<std::string_view> recorded;
    for (const TracedOp& op : trace.ops()) recorded.insert(op.op->name);
    const bool made_of_others = !cpu.kernels().has(c.op, DType::F32);
    EXPECT_TRUE(made_of_others ? !recorded.empty() : recorded.contains(c.op)) << c.op;
    tape.backward(y, Tensor::empty(trace, y.shape()));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Tensor g = tape.gradient(inputs[i]);
      ASSERT_TRUE(g) << c.op;
      EXPECT_EQ(g.shape(), c.shapes[i]) << c.op;
    }
  }
}

TEST(Gradient, EveryOpThatHasOneHasACase) {
  std::set<std::string> covered;
  for (const OpCase& c : test::op_cases()) covered.insert(c.op);
  for (const Op& op : CpuDevice().kernels().ops()) {
    EXPECT_EQ(covered.contains(std::string(op.name)), op.has_gradient) << op.name;
  }
}

TEST(Gradient, EveryOpHasAKernelForBothNumberTypes) {
  CpuDevice device;
  const std::set<std::string_view> one_type{"angles", "append"};
  for (const Op& op : device.kernels().ops()) {
    EXPECT_TRUE(device.kernels().has(op.name, DType::F32)) << op.name;
    EXPECT_EQ(device.kernels().has(op.name, DType::F64), !one_type.contains(op.name)) << op.name;
  }
}

Tensor leaf(Device& device, Shape shape, const std::vector<double>& x) {
  Tensor t = Tensor::of(device, shape, std::span<const double>(x));
  t.set_requires_grad(true);
  return t;
}

TEST(Tape, AnOpWithoutAGradientRefusesAnInputThatWantsOne) {
  CpuDevice device;
  const std::vector<float> ones(4, 1);
  const std::vector<std::int32_t> at{0, 1};
  Tensor frequencies = Tensor::of(device, {4}, std::span<const float>(ones));
  frequencies.set_requires_grad(true);
  const Tensor positions = Tensor::of(device, {2}, std::span<const std::int32_t>(at));
  EXPECT_NO_THROW(angles(positions, frequencies, 1));
  const Tape tape(device);
  EXPECT_THROW(angles(positions, frequencies, 1), Error);
}

/// Leaves of normal numbers, one after the other.
struct RandomLeaves {
  Device& device;
  std::mt19937 generator;
  std::normal_distribution<float> normal;
  Tensor operator()(Shape shape) {
    std::vector<float> v(static_cast<std::size_t>(shape.elements()));
    for (float& number : v) number = normal(generator);
    Tensor t = Tensor::of(device, shape, std::span<const float>(v));
    t.set_requires_grad(true);
    return t;
  }
};

struct LinearPass {
  std::vector<double> y, dx, dW, db;
  friend bool operator==(const LinearPass&, const LinearPass&) = default;
};

/// y, and the gradients of x, W and b with a random gradient of y.
LinearPass linear_pass(Device& device, Shape shape, std::int64_t N, Precision precision, int passes = 1) {
  RandomLeaves random{device, std::mt19937(11), {}};
  const Tensor x = random(shape), W = random({N, shape.width()}), b = random({N}), dy = random({shape.rows(), N});
  Tape tape(device, {precision});
  Tensor y;
  for (int i = 0; i < passes; ++i) {
    y = linear(x, W, b);
    tape.backward(y, dy);
  }
  return {values(y), values(tape.gradient(x)), values(tape.gradient(W)), values(tape.gradient(b))};
}

double bfloat(float x) { return static_cast<double>(bfloat_to_float(float_to_bfloat(x))); }

TEST(Tape, Bf16RoundsTheFactorsOfProductsAndNothingElse) {
  // Odd K, N and T: pairs of k that lack their second half. Whole registers of 16 x 16, parts of them, sums in halves.
  const std::vector<std::array<std::int64_t, 3>> sizes{{3, 5, 4},    {33, 77, 41},  {20, 1101, 35}, {601, 19, 37},
                                                       {16, 16, 16}, {128, 64, 96}, {50, 1120, 100}};
  for (const auto& [T, K, N] : sizes) {
    CpuDevice plain({.simd_level = "ref"});
    const LinearPass expected = linear_pass(plain, {T, K}, N, Precision::bf16);
    std::map<bool, LinearPass> first;  // registers of 16 x 16 add in an order of their own
    for (const std::string_view level : cpu_levels()) {
      if (level == "ref") continue;
      for (const int threads : {1, 2, 3}) {
        CpuDevice device({.threads = threads, .simd_level = std::string(level)});
        const LinearPass found = linear_pass(device, {T, K}, N, Precision::bf16);
        for (const auto& [fast, exact] : {std::pair{found.y, expected.y},
                                          {found.dx, expected.dx},
                                          {found.dW, expected.dW},
                                          {found.db, expected.db}}) {
          expect_close(fast, exact, 1e-5, "bf16");
        }
        EXPECT_EQ(found, first.try_emplace(level == "v4_amx", found).first->second) << level << " " << threads;
      }
    }
  }
}

/// Slices of the logits share the packed head, also a last one of few rows.
TEST(Tape, Bf16OfALossInSlicesAgreesWithThePlainLoops) {
  constexpr std::int64_t D = 40;
  for (const auto& [T, V] : {std::pair<std::int64_t, std::int64_t>{1030, 100}, {45, 50257}, {3, 7}}) {
    std::mt19937 generator(3);
    std::normal_distribution<float> normal;
    std::vector<float> numbers(static_cast<std::size_t>((T + V) * D));
    for (float& number : numbers) number = normal(generator);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(T));
    for (std::int32_t& id : ids) id = static_cast<std::int32_t>(generator() % static_cast<unsigned>(V));
    std::array<std::vector<double>, 2> expected;
    std::vector<std::string_view> levels = cpu_levels();
    for (auto level = levels.rbegin(); level != levels.rend(); ++level) {  // ref first
      CpuDevice device({.threads = 2, .simd_level = std::string(*level)});
      Tensor h = Tensor::of(device, {T, D}, std::span<const float>(numbers).first(static_cast<std::size_t>(T * D)));
      Tensor W = Tensor::of(device, {V, D}, std::span<const float>(numbers).last(static_cast<std::size_t>(V * D)));
      h.set_requires_grad(true);
      W.set_requires_grad(true);
      Tape tape(device, {Precision::bf16});
      tape.backward(cross_entropy(h, W, Tensor::of(device, {T}, std::span<const std::int32_t>(ids))));
      const std::array found{values(tape.gradient(h)), values(tape.gradient(W))};
      if (*level == "ref") expected = found;
      // Gradients of logits that lie between two bfloats are rounded to either.
      for (const int i : {0, 1}) expect_close(found[i], expected[i], 2e-3, std::string(*level));
    }
  }
}

/// Weights of fewer outputs than a register has cells, beside others.
TEST(Tape, Bf16OfSeveralSmallWeightsAgreesWithThePlainLoops) {
  constexpr std::int64_t T = 70, K = 33;
  std::array<std::vector<double>, 4> expected;
  std::vector<std::string_view> levels = cpu_levels();
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    CpuDevice device({.threads = 2, .simd_level = std::string(*level)});
    RandomLeaves random{device, std::mt19937(7), {}};
    const Tensor x = random({T, K}), a = random({1, K}), b = random({3, K}), c = random({40, K}), none;
    const std::array<LinearWeight, 3> weights{LinearWeight{&a, &none}, {&b, &none}, {&c, &none}};
    Tape tape(device, {Precision::bf16});
    const std::vector<Tensor> y = linear(x, weights);
    tape.backward(concat(std::span(y), 1), random({T, 44}));
    const std::array found{values(tape.gradient(x)), values(tape.gradient(a)), values(tape.gradient(b)),
                           values(tape.gradient(c))};
    if (*level == "ref") expected = found;
    for (const std::size_t i : {0, 1, 2, 3}) expect_close(found[i], expected[i], 1e-5, std::string(*level));
  }
}

TEST(Tape, Bf16RoundsToTheNearestEven) {
  CpuDevice device;
  const std::vector<float> x{1 + 0x1p-8F, 1 + 0x3p-8F, 1 + 0x1.1p-8F}, w{1, 0x1p4F, 0x1p8F};
  Tensor W = Tensor::of(device, {1, 3}, std::span<const float>(w));
  W.set_requires_grad(true);
  Tape tape(device, {Precision::bf16});
  const Tensor y = linear(Tensor::of(device, {1, 3}, std::span<const float>(x)), W);
  EXPECT_EQ(bfloat(x[0]), 1);
  EXPECT_EQ(bfloat(x[1]), 1 + 0x1p-6);
  EXPECT_EQ(bfloat(x[2]), 1 + 0x1p-7);
  const std::vector<float> many(20 * 3, x[1]);
  const Tensor rows = linear(Tensor::of(device, {20, 3}, std::span<const float>(many)), W);
  EXPECT_EQ(values(rows)[19], (1 + 0x1p-6) * (1 + 0x1p4 + 0x1p8));
  EXPECT_EQ(values(y)[0], 1 + 0x1p4 * (1 + 0x1p-6) + 0x1p8 * (1 + 0x1p-7));
}

TEST(Tape, RowsOfATrainedWeightDoNotDependOnHowManyThereAre) {
  constexpr std::int64_t T = 20, K = 1101, N = 35;
  std::mt19937 generator(5);
  std::normal_distribution<float> normal;
  std::vector<float> x(T * K), w(N * K);
  for (float& v : x) v = normal(generator);
  for (float& v : w) v = normal(generator);
  for (const std::string_view level : cpu_levels()) {
    CpuDevice device({.threads = 1, .simd_level = std::string(level)});
    const Tensor W = Tensor::of(device, {N, K}, std::span<const float>(w));
    const auto first = [&](std::int64_t rows) {
      return values(linear(Tensor::of(device, {rows, K}, std::span<const float>(x).first(rows * K)), W).slice(0, 1));
    };
    EXPECT_EQ(first(T), first(1)) << level;
  }
}

/// An output that no loss depends on: the room of the others is that of their own shapes.
TEST(Tape, AnOutputWithoutAGradientLeavesNeighboursAlone) {
  constexpr std::int64_t T = 84, K = 40, used = 40, unused = 10;
  for (const std::string_view level : cpu_levels()) {
    CpuDevice device({.threads = 1, .simd_level = std::string(level)});
    Tape tape(device);
    const auto ones = [&](Shape shape) {
      const std::vector<float> all(static_cast<std::size_t>(shape.elements()), 1.0F);
      Tensor t = Tensor::of(device, shape, std::span<const float>(all));
      t.set_requires_grad(true);
      return t;
    };
    const Tensor x = ones({T, K}), W = ones({used, K}), other = ones({unused, K}), none;
    const std::array<LinearWeight, 2> two{LinearWeight{&W, &none}, LinearWeight{&other, &none}};
    const Tensor y = linear(x, two)[0];
    const Tensor dy = ones(y.shape());
    // Room of the sizes that are going to be taken, so that the kernel's lies before a tensor that must not change.
    std::vector<Tensor> rooms{Tensor::empty(device, {T, K}, DType::F32), Tensor::empty(device, {used, K}, DType::F32)};
    std::vector<Tensor> guards;
    for (const std::int64_t N : {used, used + unused}) {
      rooms.push_back(Tensor::empty(device, {linear_backward_scratch(T, K, N, 2)}, DType::F32));
      guards.push_back(ones({2000}));
    }
    rooms.clear();
    tape.backward(y, dy);
    for (const Tensor& guard : guards) EXPECT_EQ(values(guard), std::vector<double>(2000, 1.0)) << level;
    EXPECT_EQ(values(tape.gradient(W)), std::vector<double>(used * K, static_cast<double>(T))) << level;
  }
}

TEST(Tape, APassAddsToTheSumsOfThePassesBefore) {
  const auto times_three = [](std::vector<double> x) {
    for (double& v : x) v *= 3;
    return x;
  };
  for (const std::string_view level : cpu_levels()) {
    CpuDevice device({.threads = 2, .simd_level = std::string(level)});
    for (const std::int64_t T : {70, 203}) {  // dW summed at once, and over halves of the rows
      const LinearPass once = linear_pass(device, {T, 40}, 50, Precision::f32);
      const LinearPass thrice = linear_pass(device, {T, 40}, 50, Precision::f32, 3);
      expect_close(thrice.dW, times_three(once.dW), 1e-6, std::string(level));
      expect_close(thrice.db, times_three(once.db), 1e-6, std::string(level));
      expect_close(thrice.dx, times_three(once.dx), 1e-6, std::string(level));
    }
  }
}

TEST(Tape, PartsAndShapesOfAValueAddUpInIt) {
  CpuDevice device;
  Tape tape(device);
  const Tensor x = leaf(device, {3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor y = sum(x.slice(1, 2) * x.slice(0, 2)) + sum(x.reshape({6}));
  tape.backward(y);
  EXPECT_EQ(values(tape.gradient(x)), (std::vector<double>{4, 5, 7, 9, 4, 5}));
  EXPECT_EQ(values(tape.gradient(x.slice(1, 1))), (std::vector<double>{7, 9}));
}

TEST(Tape, LeavesAddUpOverPassesUntilCleared) {
  CpuDevice device;
  Tape tape(device);
  const Tensor x = leaf(device, {2}, {3, 5});
  tape.backward(sum(x * x));
  tape.backward(sum(x));
  EXPECT_EQ(values(tape.gradient(x)), (std::vector<double>{7, 11}));
  tape.clear();
  EXPECT_FALSE(tape.gradient(x));
}

TEST(Tape, AGradientSharedByTwoInputsIsNotWrittenTo) {
  CpuDevice device;
  Tape tape(device);
  const Tensor a = leaf(device, {1}, {3}), b = leaf(device, {1}, {4});
  tape.backward(sum(a + b) + sum(a * a));
  EXPECT_EQ(values(tape.gradient(a)), std::vector<double>{7});
  EXPECT_EQ(values(tape.gradient(b)), std::vector<double>{1});
}

TEST(Tape, AGradientThatOthersHoldIsNotWrittenTo) {
  CpuDevice device;
  const auto gradients = [&](const auto& f) {
    Tape tape(device);
    const Tensor x = leaf(device, {3}, {0.5, -1, 2}), z = leaf(device, {3}, {1, 0.25, -2});
    const Tensor dy = Tensor::of(device, {3}, std::span<const double>(std::vector<double>{1, 2, 3}));
    tape.backward(f(x, z), dy);
    EXPECT_EQ(values(dy), (std::vector<double>{1, 2, 3}));
    const auto of = [&](const Tensor& t) {
      return tape.gradient(t) ? values(tape.gradient(t)) : std::vector<double>();
    };
    return std::pair{of(x), of(z)};
  };
  const auto one = gradients([](const Tensor& x, const Tensor&) { return gelu(x); }).first;
  const auto other = gradients([](const Tensor&, const Tensor& z) { return gelu(z); }).second;
  EXPECT_EQ(gradients([](const Tensor& x, const Tensor& z) { return gelu(x) + gelu(z); }), (std::pair{one, other}));
  const auto gated = gradients([](const Tensor& x, const Tensor& z) { return swiglu(x, z); });
  const auto twice = gradients([](const Tensor& x, const Tensor& z) { return swiglu(x, z) + swiglu(x, z); });
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_DOUBLE_EQ(twice.first[i], 2 * gated.first[i]);
    EXPECT_DOUBLE_EQ(twice.second[i], 2 * gated.second[i]);
  }
}

TEST(Tape, RecomputingGivesTheSameBytes) {
  CpuDevice device;
  const auto f = [](const Tensor& w) { return [w](const Tensor& x) { return tanh(x * w) * exp(w); }; };
  const auto gradients = [&](bool again) {
    Tape tape(device);
    const Tensor x = leaf(device, {3}, {0.1, -0.2, 0.3}), w = leaf(device, {3}, {1, 2, -1});
    const Tensor h = x * x;
    tape.backward(sum(again ? tape.recompute(h, f(w)) * x : f(w)(h) * x));
    return std::pair{values(tape.gradient(x)), values(tape.gradient(w))};
  };
  EXPECT_EQ(gradients(true), gradients(false));
}

TEST(Tape, RecordsNothingWhilePausedOrWithoutATape) {
  CpuDevice device;
  const Tensor x = leaf(device, {1}, {3});
  EXPECT_FALSE((x * x).requires_grad());
  Tape tape(device);
  {
    const Tape::Pause pause(tape);
    EXPECT_FALSE((x * x).requires_grad());
  }
  EXPECT_TRUE((x * x).requires_grad());
  EXPECT_THROW(Tape second(device), Error);
  EXPECT_THROW(tape.backward(Tensor::zeros(device, {1}, DType::F64)), Error);
  EXPECT_THROW(tape.backward(broadcast_to(x, {2})), Error);
}

TEST(Tape, APreparedWeightIsReadByNoOpThatExpectsRows) {
  CpuDevice device;
  const std::vector<float> ones(64 * 64, 1);
  const Tensor w = device.prepare(Tensor::of(device, {64, 64}, std::span<const float>(ones)));
  if (w.storage().layout == Layout::rows) GTEST_SKIP() << "this level keeps rows";
  EXPECT_NO_THROW(linear(Tensor::of(device, {64, 64}, std::span<const float>(ones)), w));
  EXPECT_THROW(w + w, Error);
}

TEST(Tape, ShapesThatDoNotFitAreNamed) {
  CpuDevice device;
  const Tensor a = leaf(device, {2, 3}, std::vector<double>(6)), b = leaf(device, {2}, {1, 2});
  try {
    add(a, b);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "add: axes differ and neither is 1 (found F64 [2, 3], F64 [2])");
  }
}

}  // namespace
}  // namespace toy

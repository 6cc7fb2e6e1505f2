// Value against central differences, and the shapes of graphs that backpropagation gets wrong.
#include "toy/scalar/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <pthread.h>
#include <vector>

namespace toy::scalar {
namespace {

struct Op {
  const char* name;
  std::function<Value(const Value&, const Value&)> of_values;
  std::function<double(double, double)> of_numbers;
  bool positive_only = false;
};

const std::vector<Op>& ops() {
  static const std::vector<Op> all = {
      {"x+y", [](auto x, auto y) { return x + y; }, [](double x, double y) { return x + y; }},
      {"x-y", [](auto x, auto y) { return x - y; }, [](double x, double y) { return x - y; }},
      {"x*y", [](auto x, auto y) { return x * y; }, [](double x, double y) { return x * y; }},
      {"x/y", [](auto x, auto y) { return x / y; }, [](double x, double y) { return x / y; }},
      {"-x", [](auto x, auto) { return -x; }, [](double x, double) { return -x; }},
      {"2+x", [](auto x, auto) { return 2.0 + x; }, [](double x, double) { return 2 + x; }},
      {"x-2", [](auto x, auto) { return x - 2.0; }, [](double x, double) { return x - 2; }},
      {"2-x", [](auto x, auto) { return 2 - x; }, [](double x, double) { return 2 - x; }},
      {"3*x", [](auto x, auto) { return 3.0 * x; }, [](double x, double) { return 3 * x; }},
      {"2/x", [](auto x, auto) { return 2.0 / x; }, [](double x, double) { return 2 / x; }},
      {"x/2", [](auto x, auto) { return x / 2.0; }, [](double x, double) { return x / 2; }},
      {"x^3", [](auto x, auto) { return pow(x, 3); }, [](double x, double) { return x * x * x; }},
      {"x^-2", [](auto x, auto) { return pow(x, -2); }, [](double x, double) { return 1 / (x * x); }},
      {"x^0.5", [](auto x, auto) { return pow(x, 0.5); }, [](double x, double) { return std::sqrt(x); }, true},
      {"x^0", [](auto x, auto) { return pow(x, 0); }, [](double, double) { return 1.0; }},
      {"exp", [](auto x, auto) { return exp(x); }, [](double x, double) { return std::exp(x); }},
      {"log", [](auto x, auto) { return log(x); }, [](double x, double) { return std::log(x); }, true},
      {"tanh", [](auto x, auto) { return tanh(x); }, [](double x, double) { return std::tanh(x); }},
      {"relu", [](auto x, auto) { return relu(x); }, [](double x, double) { return x > 0 ? x : 0; }},
  };
  return all;
}

TEST(Scalar, EveryOperationHasTheDerivativeOfItsValue) {
  for (const Op& op : ops()) {
    for (const double a : {-1.7, -0.4, 0.3, 1.1, 2.6}) {
      for (const double b : {-2.1, 0.7}) {
        if (op.positive_only && a <= 0) continue;
        SCOPED_TRACE(testing::Message() << op.name << " at x = " << a << ", y = " << b);
        const Value x = a, y = b;
        const Value z = op.of_values(x, y);
        z.backward();
        const double h = 1e-6, f = op.of_numbers(a, b);
        const double dx = (op.of_numbers(a + h, b) - op.of_numbers(a - h, b)) / (2 * h);
        const double dy = (op.of_numbers(a, b + h) - op.of_numbers(a, b - h)) / (2 * h);
        EXPECT_NEAR(z.value(), f, 1e-14 * (1 + std::fabs(f)));
        EXPECT_NEAR(x.grad(), dx, 1e-8 * (1 + std::fabs(dx)));
        EXPECT_NEAR(y.grad(), dy, 1e-8 * (1 + std::fabs(dy)));
        EXPECT_EQ(z.grad(), 1);
      }
    }
  }
}

TEST(Scalar, TheCornersAreFinite) {
  const Value x = 0.0;
  const Value z = relu(x) + pow(x, 0) + pow(x, 1) + pow(x, 2);
  z.backward();
  EXPECT_EQ(z.value(), 1);
  EXPECT_EQ(x.grad(), 1);
}

TEST(Scalar, AnInputUsedTwiceGetsBothParts) {
  const Value x = 3.0;
  (x * x).backward();
  EXPECT_EQ(x.grad(), 6);
  const Value y = 3.0;
  (y + y + y).backward();
  EXPECT_EQ(y.grad(), 3);
}

// z = a b with a = 2x, b = x + y, and a used a second time above: z = 2x(x+y) + 2x.
TEST(Scalar, ADiamondWaitsForEveryPath) {
  const Value x = 5.0, y = 7.0;
  const Value a = 2.0 * x;
  const Value b = x + y;
  const Value z = a * b + a;
  z.backward();
  EXPECT_EQ(z.value(), 130);
  EXPECT_EQ(x.grad(), 4 * 5 + 2 * 7 + 2);
  EXPECT_EQ(y.grad(), 2 * 5);
  EXPECT_EQ(a.grad(), 13);
  EXPECT_EQ(b.grad(), 10);
}

TEST(Scalar, ANetworkHasTheDerivativeOfItsLoss) {
  const auto loss = [](const std::vector<Value>& w) {
    const Value hidden = tanh(w[0] * 0.7 + w[1] * -1.3 + w[2]);
    const Value gate = relu(w[3] - hidden * w[4]);
    const Value p = 1.0 / (1.0 + exp(-(hidden * gate + w[2])));
    return -log(p) + 0.1 * pow(w[0] / w[4], 2);
  };
  const std::vector<double> at = {0.5, -0.2, 0.3, 1.4, 0.8}, along = {0.6, -0.3, 0.9, 0.2, -0.7};
  const auto shifted = [&](double h) {
    std::vector<Value> w;
    for (std::size_t i = 0; i < at.size(); ++i) w.emplace_back(at[i] + h * along[i]);
    return w;
  };
  const auto w = shifted(0);
  loss(w).backward();
  double slope = 0;
  for (std::size_t i = 0; i < w.size(); ++i) slope += w[i].grad() * along[i];
  const double h = 1e-5;
  EXPECT_NEAR(slope, (loss(shifted(h)).value() - loss(shifted(-h)).value()) / (2 * h), 1e-9);
}

TEST(Scalar, ASecondBackwardAccumulatesUnlessZeroed) {
  const Value x = 2.0;
  const Value square = x * x;
  const Value z = square * 3.0;
  z.backward();
  z.backward();
  EXPECT_EQ(x.grad(), 24);
  EXPECT_EQ(square.grad(), 6);
  x.zero_grad();
  EXPECT_EQ(square.grad(), 6);
  z.backward();
  EXPECT_EQ(x.grad(), 12);
  (x + 1.0).backward();
  EXPECT_EQ(x.grad(), 13);
}

TEST(Scalar, CopiesAreOneNumber) {
  const Value w = 1.0;
  const Value same = w;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is tested
  const Value before = w * 2.0;
  same.set(5);
  EXPECT_EQ(w.value(), 5);
  EXPECT_EQ(before.value(), 2);
  EXPECT_EQ((w * 2.0).value(), 10);
  w.backward();
  EXPECT_EQ(same.grad(), 1);
}

// Without a memory of what was seen, 60 doublings are 2^60 paths.
TEST(Scalar, ANumberIsVisitedOnceHoweverManyPathsLeadToIt) {
  const Value x = 1.0;
  Value y = x;
  for (int i = 0; i < 60; ++i) y = y + y;
  y.backward();
  EXPECT_EQ(x.grad(), 0x1p60);
}

void* build_a_long_chain(void*) {
  const Value x = 1.0;
  {
    Value sum = x;
    for (int i = 0; i < 100'000; ++i) sum = sum + (i % 2 == 0 ? x : -x);
    EXPECT_EQ(sum.value(), 1);
    sum.backward();
    EXPECT_EQ(x.grad(), 1);
  }
  EXPECT_EQ(x.value(), 1);
  return nullptr;
}

TEST(Scalar, ALongChainNeedsNoDeepStack) {
  pthread_attr_t small_stack;
  ASSERT_EQ(pthread_attr_init(&small_stack), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&small_stack, 256 * 1024), 0);
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &small_stack, build_a_long_chain, nullptr), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&small_stack);
}

TEST(Scalar, ASharedPartOutlivesItsUsers) {
  const Value x = 2.0;
  const Value shared = x * x;
  { const Value user = exp(shared) * shared; }
  shared.backward();
  EXPECT_EQ(x.grad(), 4);
}

}  // namespace
}  // namespace toy::scalar

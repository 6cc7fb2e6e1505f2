// SGD and Adam on numbers that are worked out by hand; the long run of Adam is in parity_test.cpp.
#include "toy/byhand/optimizers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace toy::byhand {
namespace {

TEST(ByhandOptimizers, SgdGoesAgainstTheGradient) {
  Matrix a(1, 2, {1, 2}), b(2, 1, {3, 4});
  const Matrix da(1, 2, {4, -8}), db(2, 1, {0, 2});
  SGD(0.25).step(std::vector{&a, &b}, std::vector{&da, &db});
  EXPECT_EQ(a, Matrix(1, 2, {0, 4}));
  EXPECT_EQ(b, Matrix(2, 1, {3, 3.5}));
}

// With beta1 = beta2 = 1/2, eps = 0, lr = 1 and gradients 2, then 4:
// m = 1, v = 2, m/(1/2) = 2, v/(1/2) = 4, step 2/2 = 1;  m = 2.5, v = 9, m/(3/4) = 10/3, v/(3/4) = 12.
TEST(ByhandOptimizers, AdamTakesTheBiasOutOfEveryStep) {
  Matrix w(1, 1, {10});
  const Matrix first(1, 1, {2}), second(1, 1, {4});
  Adam adam({.lr = 1, .beta1 = 0.5, .beta2 = 0.5, .eps = 0});
  adam.step(std::vector{&w}, std::vector{&first});
  EXPECT_DOUBLE_EQ(w(0, 0), 9);
  adam.step(std::vector{&w}, std::vector{&second});
  EXPECT_DOUBLE_EQ(w(0, 0), 9 - 10.0 / 3 / std::sqrt(12));
}

TEST(ByhandOptimizers, AdamStaysFiniteWhereTheGradientIsZero) {
  Matrix w(1, 1, {1});
  const Matrix zero(1, 1);
  Adam().step(std::vector{&w}, std::vector{&zero});
  EXPECT_EQ(w(0, 0), 1);
}

TEST(ByhandOptimizers, GradientsMustFit) {
  Matrix w(1, 2), other(2, 1);
  const Matrix dw(2, 1), good(1, 2);
  EXPECT_THROW(SGD(1).step(std::vector{&w}, std::vector{&dw}), std::invalid_argument);
  EXPECT_THROW(SGD(1).step(std::vector{&w, &other}, std::vector{&good}), std::invalid_argument);
  Adam adam;
  adam.step(std::vector{&w}, std::vector{&good});
  EXPECT_THROW(adam.step(std::vector{&other}, std::vector{&dw}), std::invalid_argument);
  Adam of_two;
  of_two.step(std::vector{&w, &other}, std::vector{&good, &dw});
  EXPECT_THROW(of_two.step(std::vector{&w}, std::vector{&good}), std::invalid_argument);
}

}  // namespace
}  // namespace toy::byhand

// Random matrices, and derivatives by central differences.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "toy/byhand/matrix.h"
#include "toy/byhand/random.h"

namespace toy::byhand::test {

inline Matrix random_matrix(int rows, int cols, Random& random) {
  Matrix m(rows, cols);
  for (double& value : m.values()) value = random.normal();
  return m;
}

inline double dot(const Matrix& a, const Matrix& b) {
  expect_shape("dot", b, a.rows(), a.cols());
  double sum = 0;
  for (std::size_t i = 0; i < a.values().size(); ++i) sum += a.values()[i] * b.values()[i];
  return sum;
}

/// Moves each of `inputs` alone along random directions: f must change as its gradient says.
inline void expect_gradients(const std::function<double()>& f, const std::vector<Matrix*>& inputs,
                             const std::vector<const Matrix*>& gradients) {
  ASSERT_EQ(inputs.size(), gradients.size());
  Random random(77);
  const double h = 1e-5;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (int trial = 0; trial < 3; ++trial) {
      const Matrix at = *inputs[i];
      const Matrix along = random_matrix(at.rows(), at.cols(), random);
      *inputs[i] = at + h * along;
      const double above = f();
      *inputs[i] = at + -h * along;
      const double below = f();
      *inputs[i] = at;
      const double slope = (above - below) / (2 * h);
      EXPECT_NEAR(dot(*gradients[i], along), slope, 1e-7 * (1 + std::fabs(slope))) << "input " << i;
    }
  }
}

}  // namespace toy::byhand::test

#include "toy/byhand/matrix.h"

#include <stdexcept>
#include <string>
#include <utility>

namespace toy::byhand {

namespace {

std::string shape(int rows, int cols) { return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]"; }

std::size_t count(int rows, int cols) {
  if (rows < 0 || cols < 0) throw std::invalid_argument("Matrix: no negative lengths, found " + shape(rows, cols));
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

}  // namespace

Matrix::Matrix(int rows, int cols) : rows_(rows), cols_(cols), values_(count(rows, cols)) {}

Matrix::Matrix(int rows, int cols, std::vector<double> values) : rows_(rows), cols_(cols), values_(std::move(values)) {
  if (values_.size() != count(rows, cols)) {
    throw std::invalid_argument("Matrix: " + shape(rows, cols) + " from " + std::to_string(values_.size()) + " values");
  }
}

Matrix operator*(const Matrix& a, const Matrix& b) {
  if (a.cols() != b.rows()) {
    throw std::invalid_argument("a * b: " + shape(a.rows(), a.cols()) + " * " + shape(b.rows(), b.cols()) +
                                ": the inner lengths differ");
  }
  Matrix y(a.rows(), b.cols());
  for (int i = 0; i < a.rows(); ++i) {
    for (int k = 0; k < a.cols(); ++k) {
      for (int j = 0; j < b.cols(); ++j) y(i, j) += a(i, k) * b(k, j);
    }
  }
  return y;
}

Matrix operator*(double factor, Matrix a) {
  for (double& value : a.values()) value *= factor;
  return a;
}

Matrix& operator+=(Matrix& a, const Matrix& b) {
  expect_shape("a + b", b, a.rows(), a.cols());
  for (std::size_t i = 0; i < a.values().size(); ++i) a.values()[i] += b.values()[i];
  return a;
}

Matrix operator+(Matrix a, const Matrix& b) {
  a += b;
  return a;
}

Matrix transpose(const Matrix& a) {
  Matrix y(a.cols(), a.rows());
  for (int i = 0; i < a.rows(); ++i) {
    for (int j = 0; j < a.cols(); ++j) y(j, i) = a(i, j);
  }
  return y;
}

void expect_shape(std::string_view what, const Matrix& found, int rows, int cols) {
  if (found.rows() == rows && found.cols() == cols) return;
  throw std::invalid_argument(std::string(what) + ": expected " + shape(rows, cols) + ", found " +
                              shape(found.rows(), found.cols()));
}

}  // namespace toy::byhand

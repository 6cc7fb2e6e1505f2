// A plain matrix, and the few operations a transformer needs of it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace toy::byhand {

/// rows x cols numbers, row after row. A vector is a matrix of one row.
class Matrix {
 public:
  Matrix() = default;
  Matrix(int rows, int cols);
  /// Errors: values.size() is not rows * cols.
  Matrix(int rows, int cols, std::vector<double> values);

  int rows() const { return rows_; }
  int cols() const { return cols_; }

  double& operator()(int i, int j) { return values_[index(i, j)]; }
  double operator()(int i, int j) const { return values_[index(i, j)]; }
  std::span<double> row(int i) { return {values_.data() + index(i, 0), static_cast<std::size_t>(cols_)}; }
  std::span<const double> row(int i) const { return {values_.data() + index(i, 0), static_cast<std::size_t>(cols_)}; }
  std::span<double> values() { return values_; }
  std::span<const double> values() const { return values_; }

  friend bool operator==(const Matrix&, const Matrix&) = default;

 private:
  std::size_t index(int i, int j) const {
    return static_cast<std::size_t>(i) * static_cast<std::size_t>(cols_) + static_cast<std::size_t>(j);
  }

  int rows_ = 0, cols_ = 0;
  std::vector<double> values_;
};

/// a [n, k], b [k, m] -> a b [n, m]. If y = a b, then da = dy b^T and db = a^T dy: no product needs more than products.
Matrix operator*(const Matrix& a, const Matrix& b);
Matrix operator*(double factor, Matrix a);
Matrix operator+(Matrix a, const Matrix& b);
Matrix& operator+=(Matrix& a, const Matrix& b);
/// a [n, m] -> a^T [m, n]
Matrix transpose(const Matrix& a);

/// Throws std::invalid_argument with one line: `what`, the shape that was expected and the one found.
void expect_shape(std::string_view what, const Matrix& found, int rows, int cols);

}  // namespace toy::byhand

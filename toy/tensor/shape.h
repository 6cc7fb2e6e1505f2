// Shape of a tensor: up to four axes, row-major, in the order the formula writes them.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace toy {

/// Axis lengths, outermost first: a matrix of N rows and K columns is {N, K}.
class Shape {
 public:
  static constexpr int max_rank = 4;

  Shape() = default;
  /// Errors: more than four axes, a negative one, more elements than can be counted in bytes.
  Shape(std::initializer_list<std::int64_t> axes);
  explicit Shape(std::span<const std::int64_t> axes);

  int rank() const { return rank_; }
  /// Length of an axis; negative counts from the last. Errors: there is no such axis.
  std::int64_t operator[](int axis) const {
    const int at = axis < 0 ? axis + rank_ : axis;
    if (at < 0 || at >= rank_) no_axis(axis);
    return axes_[static_cast<std::size_t>(at)];
  }
  /// Product of all axes; 1 for a scalar.
  std::int64_t elements() const;
  /// Length of the last axis; 1 for a scalar.
  std::int64_t width() const { return rank_ == 0 ? 1 : axes_[static_cast<std::size_t>(rank_ - 1)]; }
  /// elements() / width(): all axes but the last as one.
  std::int64_t rows() const;
  /// "[512, 64]"
  std::string str() const;

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  [[noreturn]] void no_axis(int axis) const;

  std::array<std::int64_t, max_rank> axes_{};
  int rank_ = 0;
};

}  // namespace toy

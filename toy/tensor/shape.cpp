#include "toy/tensor/shape.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "toy/tensor/error.h"

namespace toy {

Shape::Shape(std::initializer_list<std::int64_t> axes)
    : Shape(std::span<const std::int64_t>(axes.begin(), axes.size())) {}

Shape::Shape(std::span<const std::int64_t> axes) {
  if (axes.size() > max_rank) fail("shape: at most {} axes, found {}", max_rank, axes.size());
  if (std::ranges::any_of(axes, [](auto a) { return a < 0; })) fail("shape: negative axis in {}", axes);
  std::ranges::copy(axes, axes_.begin());
  rank_ = static_cast<int>(axes.size());
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 16;  // so that bytes can be counted too
  std::int64_t n = 1;
  for (const std::int64_t a : axes) {
    if (__builtin_mul_overflow(n, a, &n) || n > most) fail("shape: {} has too many elements", str());
  }
}

void Shape::no_axis(int axis) const { fail("shape: {} has no axis {}", str(), axis); }

std::int64_t Shape::elements() const { return rows() * width(); }

std::int64_t Shape::rows() const {
  std::int64_t n = 1;
  for (int i = 0; i + 1 < rank_; ++i) n *= axes_[static_cast<std::size_t>(i)];
  return n;
}

std::string Shape::str() const { return fmt::format("[{}]", fmt::join(axes_.begin(), axes_.begin() + rank_, ", ")); }

}  // namespace toy

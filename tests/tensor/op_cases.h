// One line per op: enough to test its value, its gradient and its kernels, and to measure its speed.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "toy/tensor/tensor.h"

namespace toy::test {

using Inputs = std::span<const Tensor>;

/// Plain numbers in row-major order: what a definition reads instead of a tensor.
struct Array {
  Shape shape;
  std::vector<double> numbers;

  /// The element at one index for each axis; an index beyond an axis throws.
  double operator()(auto... index) const { return at({static_cast<std::int64_t>(index)...}); }
  double at(std::initializer_list<std::int64_t> index) const {
    std::int64_t place = 0;
    int axis = 0;
    for (const std::int64_t i : index) {
      if (axis == shape.rank() || i < 0 || i >= shape[axis]) throw std::out_of_range("no such element");
      place = place * shape[axis++] + i;
    }
    if (axis != shape.rank()) throw std::out_of_range("an index too few");
    return numbers[static_cast<std::size_t>(place)];
  }
};
using Arrays = std::span<const Array>;
/// Where an element of an output lies; axes that it does not have are 0.
using Index = std::array<std::int64_t, Shape::max_rank>;

/// What an op means, written without any op: the shape of its output, and each element.
struct Definition {
  Shape shape;
  std::function<double(Arrays, const Index&)> element;
};

/// An op on inputs of given shapes, filled with normal numbers (shifted where the domain asks for it).
struct OpCase {
  std::string op;
  std::vector<Shape> shapes;
  std::function<Tensor(Inputs)> f;
  /// The same in plain ops; empty for an op that is plain itself, which has a definition.
  std::function<Tensor(Inputs)> plain{};
  Definition definition{};
  double shift = 0;         // added to every input
  double tolerance = 2e-5;  // of F32 against F64, relative to the largest element
};

/// The cases of every op that has a gradient.
std::vector<OpCase> op_cases();

}  // namespace toy::test

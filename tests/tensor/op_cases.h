// One line per op: enough to test its value, its gradient, its kernels and its speed.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "toy/tensor/tensor.h"

namespace toy::test {

using Inputs = std::span<const Tensor>;

/// An op on inputs of given shapes, filled with normal numbers (shifted where the domain asks for it).
struct OpCase {
  std::string op;
  std::vector<Shape> shapes;
  std::function<Tensor(Inputs)> f;
  /// The same in plain ops; empty for an op that is plain itself.
  std::function<Tensor(Inputs)> plain{};
  double shift = 0;         // added to every input
  double tolerance = 2e-5;  // of F32 against F64, relative to the largest element
};

/// The cases of every op that has a gradient.
std::vector<OpCase> op_cases();

}  // namespace toy::test

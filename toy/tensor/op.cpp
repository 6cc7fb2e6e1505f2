#include "toy/tensor/op.h"

#include <fmt/format.h>

namespace toy {

void shape_error(const Op& op, std::string_view rule, std::span<const Tensor* const> inputs) {
  std::string shapes;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor* t = inputs[i];
    if (!*t) {
      fail("{}: input {} of {} is an empty Tensor, as the gradient of what was not reached is", op.name, i + 1,
           inputs.size());
    }
    shapes += fmt::format("{}{} {}", shapes.empty() ? "" : ", ", name(t->dtype()), t->shape().str());
  }
  fail("{}: {} (found {})", op.name, rule, shapes);
}

void check_inputs(const Op& op, std::span<const Tensor* const> inputs) {
  for (const Tensor* t : inputs) {
    if (!*t) continue;
    const Tape* tape = t->device().tape();
    if (tape != nullptr && !op.has_gradient && tape->wants({&t, 1})) {
      fail("{}: an input requires a gradient, and this op has none", op.name);
    }
    if (t->storage().layout == Layout::panels && op.name != "linear" && op.name != "gather") {
      fail("{}: {} is a prepared weight, which only linear and gather read", op.name, t->shape().str());
    }
    if (&t->device() != &inputs.front()->device()) {
      fail("{}: inputs lie on {} and {}", op.name, inputs.front()->device().name(), t->device().name());
    }
  }
}

void missing_kernel(const Op& op, const Device& device) {
  fail("{}: the device {} has no kernel for it", op.name, device.name());
}

}  // namespace toy

// How every op ends: its kernel runs, or the device records it.
#pragma once

#include <chrono>
#include <initializer_list>
#include <span>
#include <string>

#include "toy/tensor/device.h"
#include "toy/tensor/tape.h"
#include "toy/tensor/tensor.h"

namespace toy {

/// Throws "op: rule (shapes)", or that an input is empty: every shape rule of an op ends here when it is broken.
[[noreturn]] void shape_error(const Op& op, std::string_view rule, std::span<const Tensor* const> inputs);
/// Throws unless `condition` holds and no input is empty.
inline void shape_rule(const Op& op, bool condition, std::string_view rule,
                       std::initializer_list<const Tensor*> inputs) {
  bool good = condition;
  for (const Tensor* t : inputs) good = good && *t;
  if (!good) shape_error(op, rule, {inputs.begin(), inputs.size()});
}
/// Throws when an input wants a gradient that the op does not have, or inputs lie on different devices.
void check_inputs(const Op& op, std::span<const Tensor* const> inputs);
[[noreturn]] void missing_kernel(const Op& op, const Device& device);

/// Runs the kernel that belongs to `Args`, or records the op.
/// flops: floating-point operations of this call, multiply and add counted apart.
template <class Args>
void run(const Args& args, std::initializer_list<const Tensor*> inputs, std::span<const Tensor> outputs,
         std::initializer_list<Hyperparameter> hyperparameters, double flops) {
  const Op& op = Args::op;
  check_inputs(op, {inputs.begin(), inputs.size()});
  Device& device = (*inputs.begin())->device();
  if (device.records()) {
    device.record(
        {&op, {inputs.begin(), inputs.size()}, outputs, {hyperparameters.begin(), hyperparameters.size()}, flops});
    return;
  }
  const auto kernel = device.kernels().template get<Args>();
  if (kernel == nullptr) missing_kernel(op, device);
  if (device.op_seconds() == nullptr) return kernel(args, device.team());
  const auto start = std::chrono::steady_clock::now();
  kernel(args, device.team());
  (*device.op_seconds())[op.name] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// f(float{}) or f(double{}): in the type of the numbers. Errors: a type that is neither F32 nor F64.
template <class F>
void with_number(DType dtype, const F& f) {
  if (dtype == DType::F32) return f(float{});
  if (dtype == DType::F64) return f(double{});
  fail("expected F32 or F64, found {}", name(dtype));
}
inline bool is_number(const Tensor& x) { return x.dtype() == DType::F32 || x.dtype() == DType::F64; }

/// Puts the op that made `outputs` on the tape, if there is one and an input requires a gradient. make() returns its
/// Gradient and is called only then.
template <class Make>
void differentiate(std::span<const Tensor* const> inputs, std::span<Tensor> outputs, const Make& make) {
  Device& device = inputs.front()->device();
  Tape* tape = device.tape();
  if (tape != nullptr && tape->wants(inputs)) tape->record(inputs, outputs, make());
}
template <class Make>
void differentiate(std::initializer_list<const Tensor*> inputs, std::span<Tensor> outputs, const Make& make) {
  differentiate(std::span(inputs.begin(), inputs.size()), outputs, make);
}
template <class Make>
Tensor differentiate(std::initializer_list<const Tensor*> inputs, Tensor output, const Make& make) {
  differentiate(inputs, std::span<Tensor>(&output, 1), make);
  return output;
}

}  // namespace toy

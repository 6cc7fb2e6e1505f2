#include "toy/tensor/ops/cross_entropy.h"

#include <cstring>
#include <vector>

#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/linear.h"

namespace toy {

namespace {

/// Rows of logits that exist together: 4 MiB of F32, by the shape alone, so that sums do not depend on anything else.
std::int64_t rows_together(std::int64_t V) { return std::clamp<std::int64_t>((1 << 20) / V, 16, 1024); }

Tensor scalar(Device& device, DType dtype, double value) {
  return dtype == DType::F64 ? Tensor::of(device, {}, std::array{value})
                             : Tensor::of(device, {}, std::array{static_cast<float>(value)});
}

bool is_one(const Tensor& x) {
  return x.dtype() == DType::F64 ? x.values<double>()[0] == 1 : x.values<float>()[0] == 1;
}

struct LossAndGradients {
  double loss = 0;
  Tensor dh, dW;
};

/// dh = dz W for some rows, and dW += dz^T h. Reads z, which holds dz.
template <class Number>
void add_gradients(const Tensor& z, const Tensor& h, const Tensor& W, const Tensor& dh, const Tensor& dW, bool add) {
  LinearBackwardArgsOf<Number> args{h.data<Number>(), dh.data<Number>(), h.rows(), h.width(), 1, {}};
  args.outputs[0] = {
      W.data<Number>(), z.data<Number>(), W.rows(), dW ? dW.data<Number>() : nullptr, nullptr, add, false};
  const std::array written{dh, dW};
  run(args, {&z, &h, &W}, std::span(written).first(dW ? 2 : 1), {},
      (dW ? 4.0 : 2.0) * static_cast<double>(h.rows() * h.width() * W.rows()));
}

LossAndGradients in_slices(const Tensor& h, const Tensor& W, const Tensor& targets, std::int64_t count, bool gradient) {
  const std::int64_t T = h.rows(), V = W.shape()[0], rows = rows_together(V);
  LossAndGradients result;
  std::vector<double> losses(static_cast<std::size_t>(rows));
  if (gradient) result.dh = Tensor::empty(h.device(), h.shape(), h.dtype());
  if (gradient && W.requires_grad()) result.dW = Tensor::empty(h.device(), W.shape(), h.dtype());
  const Tensor head = h.device().prepare(W);
  for (std::int64_t begin = 0; begin < T; begin += rows) {
    const std::int64_t n = std::min(rows, T - begin);
    const Tensor part = h.slice(begin, n), z = linear(part, head), wanted = targets.slice(begin, n);
    with_number(h.dtype(), [&]<class Number>(Number) {
      run<CrossEntropyArgsOf<Number>>({z.data<Number>(), wanted.data<std::int32_t>(), losses.data(), n, V,
                                       1 / static_cast<double>(std::max<std::int64_t>(count, 1)), gradient},
                                      {&z, &wanted}, {&z, 1}, {}, 6.0 * static_cast<double>(n * V));
      if (gradient) add_gradients<Number>(z, part, W, result.dh.slice(begin, n), result.dW, begin > 0);
    });
    for (std::int64_t t = 0; t < n; ++t) result.loss += losses[static_cast<std::size_t>(t)];
  }
  if (result.dW && T == 0) std::memset(result.dW.raw(), 0, static_cast<std::size_t>(result.dW.bytes()));
  result.loss /= static_cast<double>(std::max<std::int64_t>(count, 1));
  return result;
}

}  // namespace

Tensor cross_entropy(const Tensor& h, const Tensor& W, const Tensor& targets) {
  const OpInfo& op = CrossEntropyArgs::op.info();
  shape_rule(op,
             is_number(h) && h.shape().rank() == 2 && W.shape().rank() == 2 && W.width() == h.width() &&
                 targets.dtype() == DType::I32 && targets.shape() == Shape{h.rows()},
             "expected h [T, D], W [V, D] and targets [T] I32", {&h, &W, &targets});
  Device& device = h.device();
  const std::int64_t V = W.shape()[0];
  Tensor loss;
  if (device.records()) {
    loss = Tensor::empty(device, {}, h.dtype());
    run<CrossEntropyArgs>({}, {&h, &W, &targets}, {&loss, 1}, {}, 2.0 * static_cast<double>(h.rows() * V * h.width()));
    return loss;
  }
  std::int64_t count = 0;
  for (const std::int32_t y : targets.values<std::int32_t>()) {
    if (y < -1 || y >= V) refuse("cross_entropy: target {} is out of range -1..{}", y, V - 1);
    count += y >= 0 ? 1 : 0;
  }
  const std::array<const Tensor*, 2> inputs{&h, &W};
  const bool gradient = device.tape() != nullptr && device.tape()->wants(inputs);
  LossAndGradients result;
  if (gradient) {
    const Tape::Pause pause(*device.tape());
    result = in_slices(h, W, targets, count, true);
  } else {
    result = in_slices(h, W, targets, count, false);
  }
  loss = scalar(device, h.dtype(), result.loss);
  return differentiate({&h, &W}, loss, [&] {
    return [dh = result.dh, dW = result.dW](std::span<const Tensor> dy) {
      if (is_one(dy[0])) return std::vector<Tensor>{dh, dW};
      return std::vector<Tensor>{dh * dy[0], dW ? dW * dy[0] : Tensor()};
    };
  });
}

}  // namespace toy

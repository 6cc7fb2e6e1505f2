#include "toy/tensor/ops/cross_entropy.h"

#include <vector>

#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/linear.h"
#include "toy/tensor/ops/matmul.h"

namespace toy {

namespace {

/// Rows of logits that exist together: 4 MiB of F32, by the shape alone, so that sums do not depend on anything else.
std::int64_t rows_together(std::int64_t V) { return std::clamp<std::int64_t>((1 << 20) / V, 16, 1024); }

Tensor scalar(Device& device, DType dtype, double value) {
  return dtype == DType::F64 ? Tensor::of(device, {}, std::array{value})
                             : Tensor::of(device, {}, std::array{static_cast<float>(value)});
}

struct LossAndGradients {
  double loss = 0;
  Tensor dh, dW;
};

LossAndGradients in_slices(const Tensor& h, const Tensor& W, const Tensor& targets, std::int64_t count, bool gradient) {
  const std::int64_t T = h.rows(), V = W.shape()[0], rows = rows_together(V);
  LossAndGradients result;
  std::vector<double> losses(static_cast<std::size_t>(rows));
  std::vector<Tensor> dh;
  const Tensor turned = gradient ? transpose(W) : Tensor();
  if (gradient) result.dh = Tensor::empty(h.device(), h.shape(), h.dtype());
  for (std::int64_t begin = 0; begin < T; begin += rows) {
    const std::int64_t n = std::min(rows, T - begin);
    const Tensor part = h.slice(begin, n), z = linear(part, W), wanted = targets.slice(begin, n);
    with_number(h.dtype(), [&]<class Number>(Number) {
      run<CrossEntropyArgsOf<Number>>({z.data<Number>(), wanted.data<std::int32_t>(), losses.data(), n, V,
                                       1 / static_cast<double>(std::max<std::int64_t>(count, 1)), gradient},
                                      {&z, &wanted}, {&z, 1}, {}, 6.0 * static_cast<double>(n * V));
    });
    for (std::int64_t t = 0; t < n; ++t) result.loss += losses[static_cast<std::size_t>(t)];
    if (!gradient) continue;
    const Tensor d = linear(z, turned);
    std::copy_n(d.raw(), d.bytes(), result.dh.slice(begin, n).raw());
    if (!W.requires_grad()) continue;
    const Tensor dW = linear(transpose(z), transpose(part));
    result.dW = result.dW ? result.dW + dW : dW;
  }
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
      return std::vector<Tensor>{dh * dy[0], dW ? dW * dy[0] : Tensor()};
    };
  });
}

}  // namespace toy

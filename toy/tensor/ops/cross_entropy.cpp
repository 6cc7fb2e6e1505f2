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
  if (x.raw() == nullptr) return true;
  return x.dtype() == DType::F64 ? x.values<double>()[0] == 1 : x.values<float>()[0] == 1;
}

struct LossAndGradients {
  double loss = 0;
  Tensor dh, dW;
};

/// The products of one call, slice of rows by slice; the head is packed for the first one.
class Head {
 public:
  Head(const Tensor& W, std::int64_t rows, bool gradient, Precision precision) : W_(W), precision_(precision) {
    if (W.storage().layout == Layout::panels) return;
    const std::int64_t V = W.shape()[0], D = W.width();
    panels_ = Tensor::empty(W.device(), {linear_panels(V, D)}, W.dtype());
    if (gradient) scratch_ = Tensor::empty(W.device(), {linear_backward_scratch(rows, D, V, 1)}, W.dtype());
  }

  /// z = h W^T
  template <class Number>
  Tensor logits(const Tensor& h) {
    if (!panels_) return linear(h, W_);
    const std::int64_t V = W_.shape()[0];
    Tensor z = Tensor::empty(h.device(), {h.rows(), V}, h.dtype());
    LinearArgsOf<Number> args{h.data<Number>(),       h.rows(),   h.width(), 1, {}, nullptr,
                              panels_.data<Number>(), precision_, packed_};
    args.outputs[0] = {W_.raw(), W_.dtype(), Layout::rows, V, nullptr, z.data<Number>()};
    run(args, {&h, &W_}, {&z, 1}, {}, 2.0 * static_cast<double>(h.rows() * h.width() * V));
    packed_ = true;
    return z;
  }

  /// dh = dz W for some rows, and dW += dz^T h.
  template <class Number>
  void add_gradients(const Tensor& dz, const Tensor& h, const Tensor& dh, const Tensor& dW) {
    LinearBackwardArgsOf<Number> args{h.data<Number>(),
                                      dh.data<Number>(),
                                      h.rows(),
                                      h.width(),
                                      1,
                                      {},
                                      scratch_ ? scratch_.data<Number>() : nullptr,
                                      precision_,
                                      added_};
    args.outputs[0] = {
        W_.data<Number>(), dz.data<Number>(), W_.shape()[0], dW ? dW.data<Number>() : nullptr, nullptr, added_, false};
    const std::array written{dh, dW};
    run(args, {&dz, &h, &W_}, std::span(written).first(dW ? 2 : 1), {},
        (dW ? 4.0 : 2.0) * static_cast<double>(h.rows() * h.width() * W_.shape()[0]));
    added_ = true;
  }

 private:
  Tensor W_, panels_, scratch_;
  Precision precision_;
  bool packed_ = false, added_ = false;
};

LossAndGradients in_slices(const Tensor& h, const Tensor& W, const Tensor& targets, std::int64_t count, bool gradient,
                           Precision precision) {
  const std::int64_t T = h.rows(), V = W.shape()[0], rows = rows_together(V);
  LossAndGradients result;
  std::vector<double> losses(static_cast<std::size_t>(rows));
  if (gradient) result.dh = Tensor::empty(h.device(), h.shape(), h.dtype());
  if (gradient && W.requires_grad()) result.dW = Tensor::empty(h.device(), W.shape(), h.dtype());
  Head head(W, std::min(rows, T), gradient, precision);
  for (std::int64_t begin = 0; begin < T; begin += rows) {
    const std::int64_t n = std::min(rows, T - begin);
    const Tensor part = h.slice(begin, n), wanted = targets.slice(begin, n);
    with_number(h.dtype(), [&]<class Number>(Number) {
      const Tensor z = head.logits<Number>(part);
      run<CrossEntropyArgsOf<Number>>({z.data<Number>(), wanted.data<std::int32_t>(), losses.data(), n, V,
                                       1 / static_cast<double>(std::max<std::int64_t>(count, 1)), gradient},
                                      {&z, &wanted}, {&z, 1}, {}, 6.0 * static_cast<double>(n * V));
      if (gradient) head.add_gradients<Number>(z, part, result.dh.slice(begin, n), result.dW);
    });
    for (std::int64_t t = 0; t < n; ++t) result.loss += losses[static_cast<std::size_t>(t)];
  }
  if (result.dW && T == 0) std::memset(result.dW.raw(), 0, static_cast<std::size_t>(result.dW.bytes()));
  result.loss /= static_cast<double>(std::max<std::int64_t>(count, 1));
  return result;
}

}  // namespace

Tensor cross_entropy(const Tensor& h, const Tensor& W, const Tensor& targets, std::int64_t count) {
  const Op& op = CrossEntropyArgs::op;
  if (count < 0) fail("cross_entropy: expected a count of 0 or more, found {}", count);
  shape_rule(op,
             is_number(h) && h.shape().rank() == 2 && W.shape().rank() == 2 && W.width() == h.width() &&
                 targets.dtype() == DType::I32 && targets.shape() == Shape{h.rows()},
             "expected h [T, D], W [V, D] and targets [T] I32", {&h, &W, &targets});
  Device& device = h.device();
  const std::int64_t V = W.shape()[0];
  Tensor loss;
  const std::array<const Tensor*, 2> inputs{&h, &W};
  const bool gradient = device.tape() != nullptr && device.tape()->wants(inputs);
  if (device.records() && !gradient) {
    loss = Tensor::empty(device, {}, h.dtype());
    run<CrossEntropyArgs>({}, {&h, &W, &targets}, {&loss, 1}, {}, 2.0 * static_cast<double>(h.rows() * V * h.width()));
    return loss;
  }
  std::int64_t own = 0;
  for (const std::int32_t y : targets.raw() == nullptr ? std::span<std::int32_t>() : targets.values<std::int32_t>()) {
    if (y < -1 || y >= V) refuse("cross_entropy: target {} is out of range -1..{}", y, V - 1);
    own += y >= 0 ? 1 : 0;
  }
  if (count == 0) count = own;
  LossAndGradients result;
  if (gradient) {
    const Precision precision = device.tape()->precision(inputs);
    const Tape::Pause pause(*device.tape());
    result = in_slices(h, W, targets, count, true, precision);
  } else {
    result = in_slices(h, W, targets, count, false, Precision::f32);
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

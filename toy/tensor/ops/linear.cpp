#include "toy/tensor/ops/linear.h"

namespace toy {

std::vector<Tensor> linear(const Tensor& x, std::span<const LinearWeight> weights) {
  const OpInfo& op = LinearArgs::op.info();
  if (weights.empty() || weights.size() > LinearArgs::max_weights) fail("linear: {} weights", weights.size());
  const std::int64_t T = x.rows(), K = x.width();
  LinearArgs args{x.data<float>(), T, K, static_cast<int>(weights.size()), {}, nullptr};
  std::vector<Tensor> y;
  y.reserve(weights.size());
  std::array<Tensor, LinearArgs::max_weights> prepared;  // a weight still in rows is packed for this call
  bool blocks = false;
  double flops = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor &W = *weights[i].weight, &b = *weights[i].bias;
    shape_rule(op, x.dtype() == DType::F32 && W.shape().rank() == 2 && W.shape()[1] == K && can_compute(W.dtype()),
               "expected x [T, K] F32 and W [N, K] of a type that can be computed", {&x, &W});
    const std::int64_t N = W.shape()[0];
    shape_rule(op, !b || (b.shape() == Shape{N} && b.dtype() == DType::F32), "expected b [N] F32", {&x, &W, &b});
    y.push_back(Tensor::empty(x.device(), {T, N}));
    prepared[i] = x.device().prepare(W);
    args.outputs[i] = {prepared[i].raw(),     W.dtype(), prepared[i].storage().layout, N, b ? b.data<float>() : nullptr,
                       y.back().data<float>()};
    blocks = blocks || is_block(W.dtype());
    flops += 2.0 * static_cast<double>(T * N * K);
  }
  Tensor scratch;
  if (blocks) {
    scratch = Tensor::empty(x.device(), {linear_scratch(T, K)}, DType::I8);
    args.scratch = scratch.raw();
  }
  const Tensor none;
  const auto at = [&](std::size_t i) { return i < weights.size() ? weights[i] : LinearWeight{&none, &none}; };
  run(args,
      {&x, at(0).weight, at(0).bias, at(1).weight, at(1).bias, at(2).weight, at(2).bias, at(3).weight, at(3).bias}, y,
      {}, flops);
  return y;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const LinearWeight one{&weight, &bias};
  return linear(x, {&one, 1}).front();
}

}  // namespace toy

#include "toy/tensor/ops/linear.h"

#include <numeric>

#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/matmul.h"
#include "toy/tensor/ops/reduce.h"

namespace toy {

namespace {

Shape with_width(const Shape& x, std::int64_t width) {
  std::vector<std::int64_t> axes;
  for (int i = 0; i < x.rank() - 1; ++i) axes.push_back(x[i]);
  axes.push_back(width);
  return Shape(axes);
}

/// W [N, K] in rows of F32 or F64, whatever its type and layout.
Tensor plain_rows(const Tensor& W) {
  if (is_number(W) && W.storage().layout == Layout::rows) return W;
  std::vector<std::int32_t> all(static_cast<std::size_t>(W.shape()[0]));
  std::iota(all.begin(), all.end(), 0);
  return gather(W, Tensor::of(W.device(), {W.shape()[0]}, std::span<const std::int32_t>(all)));
}

/// What the gradient needs of one weight.
struct Map {
  Tensor weight, bias;
};

std::vector<Tensor> linear_gradient(const Tensor& x, std::span<const Map> maps, std::span<const Tensor> dy) {
  const std::int64_t T = x.rows(), K = x.width();
  std::vector<Tensor> d(1 + 2 * maps.size());
  Tensor turned_x;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    if (!dy[i]) continue;
    const auto& [W, b] = maps[i];
    const Tensor rows = dy[i].reshape({T, W.shape()[0]});
    if (x.requires_grad()) {
      const Tensor dx = linear(rows, transpose(plain_rows(W)));
      d[0] = d[0] ? d[0] + dx : dx;
    }
    if (W.requires_grad()) {
      if (!turned_x) turned_x = transpose(x.reshape({T, K}));
      d[1 + 2 * i] = linear(transpose(rows), turned_x);
    }
    if (b && b.requires_grad()) d[2 + 2 * i] = sum(rows, 0).reshape(b.shape());
  }
  if (d[0]) d[0] = d[0].reshape(x.shape());
  return d;
}

/// The kernel on one number type; y are there.
template <class Number>
void run_linear(const Tensor& x, std::span<const LinearWeight> weights, std::span<const Tensor> y) {
  const std::int64_t T = x.rows(), K = x.width();
  LinearArgsOf<Number> args{x.data<Number>(), T, K, static_cast<int>(weights.size()), {}, nullptr};
  std::array<Tensor, LinearArgs::max_weights> prepared;  // a weight still in rows is packed for this call
  bool blocks = false;
  double flops = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor &W = *weights[i].weight, &b = *weights[i].bias;
    prepared[i] = x.device().prepare(W);
    args.outputs[i] = {
        prepared[i].raw(),  W.dtype(), prepared[i].storage().layout, W.shape()[0], b ? b.data<Number>() : nullptr,
        y[i].data<Number>()};
    blocks = blocks || is_block(W.dtype());
    flops += 2.0 * static_cast<double>(T * W.shape()[0] * K);
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
}

}  // namespace

std::vector<Tensor> linear(const Tensor& x, std::span<const LinearWeight> weights) {
  const OpInfo& op = LinearArgs::op.info();
  if (weights.empty() || weights.size() > LinearArgs::max_weights) fail("linear: {} weights", weights.size());
  const std::int64_t K = x.width();
  std::vector<Tensor> y;
  std::vector<const Tensor*> inputs{&x};
  for (const auto& [weight, bias] : weights) {
    const Tensor &W = *weight, &b = *bias;
    const bool doubles = x.dtype() == DType::F64 && W.dtype() == DType::F64;
    shape_rule(
        op,
        (doubles || (x.dtype() == DType::F32 && can_compute(W.dtype()))) && W.shape().rank() == 2 && W.shape()[1] == K,
        "expected x [..., K] F32 and W [N, K] of a type that can be computed, or both F64", {&x, &W});
    const std::int64_t N = W.shape()[0];
    shape_rule(op, !b || (b.shape() == Shape{N} && b.dtype() == x.dtype()), "expected b [N] of x's type", {&x, &W, &b});
    y.push_back(Tensor::empty(x.device(), with_width(x.shape(), N), x.dtype()));
    inputs.insert(inputs.end(), {&W, &b});
  }
  with_number(x.dtype(), [&]<class Number>(Number) { run_linear<Number>(x, weights, y); });
  differentiate(std::span<const Tensor* const>(inputs), y, [&] {
    std::vector<Map> maps;
    for (const auto& [weight, bias] : weights) {
      if (weight->requires_grad() && !is_number(*weight)) {
        fail("linear: a weight of type {} has no gradient", name(weight->dtype()));
      }
      maps.push_back({*weight, *bias});
    }
    return [x, maps](std::span<const Tensor> dy) { return linear_gradient(x, maps, dy); };
  });
  return y;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const LinearWeight one{&weight, &bias};
  return linear(x, {&one, 1}).front();
}

}  // namespace toy

#include "toy/tensor/ops/linear.h"

#include <numeric>

#include "toy/tensor/ops/gather.h"

namespace toy {

namespace {

Shape with_width(const Shape& x, std::int64_t width) {
  std::vector<std::int64_t> axes;
  axes.reserve(static_cast<std::size_t>(x.rank()));
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

/// Where one gradient goes: onto the tape's sum, if there is one that only the tape holds, or into a new tensor.
struct Target {
  Tensor tensor;
  bool add = false;
};

Target target_for(const Tensor& leaf) {
  if (!leaf || !leaf.requires_grad()) return {};
  const Tape* tape = leaf.device().tape();
  if (Tensor sum = tape != nullptr ? tape->sum_of(leaf) : Tensor()) return {std::move(sum), true};
  return {Tensor::empty(leaf.device(), leaf.shape(), leaf.dtype()), false};
}

template <class Number>
Number* data_or_null(const Tensor& x) {
  return x ? x.data<Number>() : nullptr;
}

/// From so many rows on, packing a weight in the call costs little.
constexpr std::int64_t packing_rows = 16;

/// F32 in rows of the program's own: the truth of a weight that is trained.
bool is_trained(const Tensor& W) {
  return W.dtype() == DType::F32 && W.storage().layout == Layout::rows && !W.storage().mapped_file;
}

/// Of the products of an op: what its tape says, if the op belongs on it.
Precision precision_of(Device& device, std::span<const Tensor* const> inputs) {
  const Tape* tape = device.tape();
  return tape != nullptr ? tape->precision(inputs) : Precision::f32;
}

void check(const Op& op, std::span<const LinearWeight> weights) {
  if (weights.empty() || weights.size() > LinearArgs::max_weights)
    fail("{}: expected 1 to {} weights, found {}", op.name, LinearArgs::max_weights, weights.size());
  for (const auto& [weight, bias] : weights) {
    if (weight == nullptr || bias == nullptr) fail("{}: expected the addresses of a weight and a bias", op.name);
  }
}

/// The kernel on one number type; y are there.
template <class Number>
void run_linear(const Tensor& x, std::span<const LinearWeight> weights, std::span<const Tensor> y,
                Precision precision) {
  const std::int64_t T = x.rows(), K = x.width();
  LinearArgsOf<Number> args{x.data<Number>(), T, K, static_cast<int>(weights.size()), {}, nullptr, nullptr, precision};
  std::array<Tensor, LinearArgs::max_weights> prepared;  // a weight still in rows is packed for this call
  bool blocks = false;
  double flops = 0;
  std::int64_t panels = 0;  // numbers
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor &W = *weights[i].weight, &b = *weights[i].bias;
    const bool rows = is_trained(W) && (T >= packing_rows || precision == Precision::bf16);
    prepared[i] = rows ? W : x.device().prepare(W);
    if (rows) panels += linear_panels(W.shape()[0], K);
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
  Tensor packed;
  if (panels > 0) {
    packed = Tensor::empty(x.device(), {panels}, x.dtype());
    args.panels = packed.data<Number>();
  }
  const Tensor none;
  const auto at = [&](std::size_t i) { return i < weights.size() ? weights[i] : LinearWeight{&none, &none}; };
  run(args,
      {&x, at(0).weight, at(0).bias, at(1).weight, at(1).bias, at(2).weight, at(2).bias, at(3).weight, at(3).bias}, y,
      {}, flops);
}

}  // namespace

std::vector<Tensor> linear(const Tensor& x, std::span<const LinearWeight> weights) {
  const Op& op = LinearArgs::op;
  check(op, weights);
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
    if (b) shape_rule(op, b.shape() == Shape{N} && b.dtype() == x.dtype(), "expected b [N] of x's type", {&x, &W, &b});
    y.push_back(Tensor::empty(x.device(), with_width(x.shape(), N), x.dtype()));
    inputs.insert(inputs.end(), {&W, &b});
  }
  const Precision precision = precision_of(x.device(), inputs);
  with_number(x.dtype(), [&]<class Number>(Number) { run_linear<Number>(x, weights, y, precision); });
  differentiate(std::span<const Tensor* const>(inputs), y, [&] {
    std::vector<std::array<Tensor, 2>> kept;
    for (const auto& [weight, bias] : weights) {
      if (weight->requires_grad() && !is_number(*weight)) {
        fail("linear: a weight of type {} has no gradient", name(weight->dtype()));
      }
      kept.push_back({*weight, *bias});
    }
    return [x, kept, precision](std::span<const Tensor> dy) {
      std::vector<LinearWeight> maps;
      maps.reserve(kept.size());
      for (const auto& [weight, bias] : kept) maps.push_back({&weight, &bias});
      return linear_backward(x, maps, dy, precision);
    };
  });
  return y;
}

std::vector<Tensor> linear_backward(const Tensor& x, std::span<const LinearWeight> weights, std::span<const Tensor> dy,
                                    Precision precision) {
  const Op& op = LinearBackwardArgs::op;
  check(op, weights);
  if (dy.size() != weights.size())
    fail("linear_backward: {} gradients for {} weights were given, expected one for each", dy.size(), weights.size());
  const std::int64_t T = x.rows(), K = x.width();
  std::vector<Tensor> rows(weights.size()), d(1 + 2 * weights.size()), written;
  std::vector<Target> targets;
  if (x.requires_grad()) written.push_back(d[0] = Tensor::empty(x.device(), x.shape(), x.dtype()));
  double flops = 0;
  std::int64_t N = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto& [W, b] = weights[i];
    const bool there = static_cast<bool>(dy[i]);
    N += there ? W->shape()[0] : 0;
    if (there) {
      shape_rule(op,
                 W->shape().rank() == 2 && W->width() == K && dy[i].rows() == T && dy[i].width() == W->shape()[0] &&
                     dy[i].dtype() == x.dtype(),
                 "expected x [..., K], W [N, K] and dy [..., N] of one type", {&x, W, &dy[i]});
    }
    if (there && d[0]) rows[i] = plain_rows(*W);
    targets.push_back(there ? target_for(*W) : Target{});
    targets.push_back(there ? target_for(*b) : Target{});
    for (const std::size_t at : {2 * i, 2 * i + 1}) {
      const Target& t = targets[at];
      if (t.tensor) written.push_back(t.tensor);
      if (!t.add) d[1 + at] = t.tensor;
    }
    const double products = (d[0] ? 1 : 0) + (targets[2 * i].tensor ? 1 : 0);
    flops += there ? 2 * products * static_cast<double>(T * W->shape()[0] * K) : 0;
  }
  const Tensor scratch = Tensor::empty(x.device(), {linear_backward_scratch(T, K, N, std::ssize(weights))}, x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    LinearBackwardArgsOf<Number> args{x.data<Number>(), data_or_null<Number>(d[0]), T, K, 0, {}, scratch.data<Number>(),
                                      precision};
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (!dy[i]) continue;
      const Target &dW = targets[2 * i], &db = targets[2 * i + 1];
      args.outputs[static_cast<std::size_t>(args.count++)] = {data_or_null<Number>(rows[i]),
                                                              dy[i].data<Number>(),
                                                              weights[i].weight->shape()[0],
                                                              data_or_null<Number>(dW.tensor),
                                                              data_or_null<Number>(db.tensor),
                                                              dW.add,
                                                              db.add};
    }
    run(args, {&x}, written, {}, flops);
  });
  return d;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const LinearWeight one{&weight, &bias};
  return linear(x, {&one, 1}).front();
}

}  // namespace toy

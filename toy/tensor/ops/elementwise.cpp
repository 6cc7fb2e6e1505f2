#include "toy/tensor/ops/elementwise.h"

#include "toy/tensor/ops/add.h"

namespace toy {

namespace {

/// y = f(x); gradient(x, y, dy) is dx.
template <template <class> class Args, class F>
Tensor map(const Tensor& x, F gradient) {
  shape_rule(Args<float>::op, is_number(x), "expected F32 or F64", {&x});
  Tensor y = Tensor::empty(x.device(), x.shape(), x.dtype());
  const std::int64_t n = x.shape().elements();
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<Args<Number>>({{x.data<Number>(), y.data<Number>(), n}}, {&x}, {&y, 1}, {}, static_cast<double>(n));
  });
  return differentiate({&x}, y, [&] {
    return [x, y, gradient](std::span<const Tensor> dy) { return std::vector<Tensor>{gradient(x, y, dy[0])}; };
  });
}

}  // namespace

Tensor neg(const Tensor& x) {
  return map<NegArgsOf>(x, [](const Tensor&, const Tensor&, const Tensor& dy) { return neg(dy); });
}

Tensor exp(const Tensor& x) {
  return map<ExpArgsOf>(x, [](const Tensor&, const Tensor& y, const Tensor& dy) { return dy * y; });
}

Tensor log(const Tensor& x) {
  return map<LogArgsOf>(x, [](const Tensor& x, const Tensor&, const Tensor& dy) { return dy / x; });
}

Tensor sqrt(const Tensor& x) {
  return map<SqrtArgsOf>(x, [](const Tensor&, const Tensor& y, const Tensor& dy) { return dy / scale(y, 2); });
}

Tensor sigmoid(const Tensor& x) {
  return map<SigmoidArgsOf>(
      x, [](const Tensor&, const Tensor& y, const Tensor& dy) { return dy * (y * scale(y, -1, 1)); });
}

Tensor softplus(const Tensor& x) {
  return map<SoftplusArgsOf>(x, [](const Tensor& x, const Tensor&, const Tensor& dy) { return dy * sigmoid(x); });
}

Tensor tanh(const Tensor& x) {
  return map<TanhArgsOf>(x, [](const Tensor&, const Tensor& y, const Tensor& dy) { return dy * scale(y * y, -1, 1); });
}

Tensor scale(const Tensor& x, double a, double b) {
  shape_rule(ScaleArgsOf<float>::op, is_number(x), "expected F32 or F64", {&x});
  Tensor y = Tensor::empty(x.device(), x.shape(), x.dtype());
  const std::int64_t n = x.shape().elements();
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<ScaleArgsOf<Number>>({x.data<Number>(), y.data<Number>(), n, a, b}, {&x}, {&y, 1}, {{"a", a}, {"b", b}},
                             2.0 * static_cast<double>(n));
  });
  return differentiate({&x}, y,
                       [&] { return [a](std::span<const Tensor> dy) { return std::vector{scale(dy[0], a)}; }; });
}

}  // namespace toy

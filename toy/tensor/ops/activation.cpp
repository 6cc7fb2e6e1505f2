#include "toy/tensor/ops/activation.h"

#include <vector>

namespace toy {

Tensor swiglu(const Tensor& g, const Tensor& u) {
  shape_rule(SwigluArgs::op.info(), g.shape() == u.shape() && is_number(g) && u.dtype() == g.dtype(),
             "expected two tensors of one shape, F32 or F64", {&g, &u});
  Tensor y = Tensor::empty(g.device(), g.shape(), g.dtype());
  const std::int64_t n = g.shape().elements();
  with_number(g.dtype(), [&]<class Number>(Number) {
    run<SwigluArgsOf<Number>>({g.data<Number>(), u.data<Number>(), y.data<Number>(), n}, {&g, &u}, {&y, 1}, {},
                              5.0 * static_cast<double>(n));
  });
  return differentiate({&g, &u}, y, [&] {
    return [g, u](std::span<const Tensor> dy) {
      const auto [dg, du] = swiglu_backward(g, u, dy[0]);
      return std::vector{dg, du};
    };
  });
}

std::array<Tensor, 2> swiglu_backward(const Tensor& g, const Tensor& u, const Tensor& dy) {
  shape_rule(SwigluBackwardArgs::op.info(), g.shape() == u.shape() && g.shape() == dy.shape(),
             "expected three tensors of one shape", {&g, &u, &dy});
  std::array d{Tensor::empty(g.device(), g.shape(), g.dtype()), Tensor::empty(g.device(), g.shape(), g.dtype())};
  const std::int64_t n = g.shape().elements();
  with_number(g.dtype(), [&]<class Number>(Number) {
    run<SwigluBackwardArgsOf<Number>>(
        {g.data<Number>(), u.data<Number>(), dy.data<Number>(), d[0].data<Number>(), d[1].data<Number>(), n},
        {&g, &u, &dy}, d, {}, 11.0 * static_cast<double>(n));
  });
  return d;
}

Tensor gelu(const Tensor& x) {
  shape_rule(GeluArgs::op.info(), is_number(x), "expected F32 or F64", {&x});
  Tensor y = Tensor::empty(x.device(), x.shape(), x.dtype());
  const std::int64_t n = x.shape().elements();
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<GeluArgsOf<Number>>({x.data<Number>(), y.data<Number>(), n}, {&x}, {&y, 1}, {}, 9.0 * static_cast<double>(n));
  });
  return differentiate(
      {&x}, y, [&] { return [x](std::span<const Tensor> dy) { return std::vector{gelu_backward(x, dy[0])}; }; });
}

Tensor gelu_backward(const Tensor& x, const Tensor& dy) {
  shape_rule(GeluBackwardArgs::op.info(), x.shape() == dy.shape(), "expected two tensors of one shape", {&x, &dy});
  Tensor dx = Tensor::empty(x.device(), x.shape(), x.dtype());
  const std::int64_t n = x.shape().elements();
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<GeluBackwardArgsOf<Number>>({x.data<Number>(), dy.data<Number>(), dx.data<Number>(), n}, {&x, &dy}, {&dx, 1},
                                    {}, 16.0 * static_cast<double>(n));
  });
  return dx;
}

}  // namespace toy

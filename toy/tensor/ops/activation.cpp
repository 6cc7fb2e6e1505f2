#include "toy/tensor/ops/activation.h"

#include <vector>

namespace toy {

namespace {

Tensor like(const Tensor& x) { return Tensor::empty(x.device(), x.shape(), x.dtype()); }

/// Memory for a gradient that is computed element by element from dy: dy's own, if only the tape holds it, and on its
/// way back the tape needs it no more.
Tensor in_place_of(const Tensor& dy) { return dy.alone() ? dy : like(dy); }

/// d, the gradients of g and u, is there; the first one may be dy itself.
void swiglu_backward(const Tensor& g, const Tensor& u, const Tensor& dy, const std::array<Tensor, 2>& d) {
  shape_rule(SwigluBackwardArgs::op, g.shape() == u.shape() && g.shape() == dy.shape(),
             "expected three tensors of one shape", {&g, &u, &dy});
  const std::int64_t n = g.shape().elements();
  with_number(g.dtype(), [&]<class Number>(Number) {
    run<SwigluBackwardArgsOf<Number>>(
        {g.data<Number>(), u.data<Number>(), dy.data<Number>(), d[0].data<Number>(), d[1].data<Number>(), n},
        {&g, &u, &dy}, d, {}, 11.0 * static_cast<double>(n));
  });
}

/// dx is there; it may be dy itself.
void gelu_backward(const Tensor& x, const Tensor& dy, const Tensor& dx) {
  shape_rule(GeluBackwardArgs::op, x.shape() == dy.shape(), "expected two tensors of one shape", {&x, &dy});
  const std::int64_t n = x.shape().elements();
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<GeluBackwardArgsOf<Number>>({x.data<Number>(), dy.data<Number>(), dx.data<Number>(), n}, {&x, &dy}, {&dx, 1},
                                    {}, 16.0 * static_cast<double>(n));
  });
}

}  // namespace

Tensor swiglu(const Tensor& g, const Tensor& u) {
  shape_rule(SwigluArgs::op, g.shape() == u.shape() && is_number(g) && u.dtype() == g.dtype(),
             "expected two tensors of one shape, F32 or F64", {&g, &u});
  Tensor y = like(g);
  const std::int64_t n = g.shape().elements();
  with_number(g.dtype(), [&]<class Number>(Number) {
    run<SwigluArgsOf<Number>>({g.data<Number>(), u.data<Number>(), y.data<Number>(), n}, {&g, &u}, {&y, 1}, {},
                              5.0 * static_cast<double>(n));
  });
  return differentiate({&g, &u}, y, [&] {
    return [g, u](std::span<const Tensor> dy) {
      const std::array d{in_place_of(dy[0]), like(u)};
      swiglu_backward(g, u, dy[0], d);
      return std::vector{d[0], d[1]};
    };
  });
}

std::array<Tensor, 2> swiglu_backward(const Tensor& g, const Tensor& u, const Tensor& dy) {
  std::array d{like(g), like(u)};
  swiglu_backward(g, u, dy, d);
  return d;
}

Tensor gelu(const Tensor& x) {
  shape_rule(GeluArgs::op, is_number(x), "expected F32 or F64", {&x});
  Tensor y = like(x);
  const std::int64_t n = x.shape().elements();
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<GeluArgsOf<Number>>({x.data<Number>(), y.data<Number>(), n}, {&x}, {&y, 1}, {}, 9.0 * static_cast<double>(n));
  });
  return differentiate({&x}, y, [&] {
    return [x](std::span<const Tensor> dy) {
      Tensor dx = in_place_of(dy[0]);
      gelu_backward(x, dy[0], dx);
      return std::vector{std::move(dx)};
    };
  });
}

Tensor gelu_backward(const Tensor& x, const Tensor& dy) {
  Tensor dx = like(x);
  gelu_backward(x, dy, dx);
  return dx;
}

}  // namespace toy

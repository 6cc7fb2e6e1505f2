#include "toy/tensor/ops/norm.h"

#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/elementwise.h"
#include "toy/tensor/ops/reduce.h"

namespace toy {

namespace {

bool is_vector_of(const Tensor& w, const Tensor& x) { return w.shape() == Shape{x.width()} && w.dtype() == x.dtype(); }

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& w, float eps) {
  const std::int64_t D = x.width(), T = x.rows();
  shape_rule(RmsNormArgs::op, is_number(x) && is_vector_of(w, x), "expected x [..., D] and w [D], F32 or F64",
             {&x, &w});
  Tensor y = Tensor::empty(x.device(), x.shape(), x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<RmsNormArgsOf<Number>>({x.data<Number>(), w.data<Number>(), y.data<Number>(), T, D, eps}, {&x, &w}, {&y, 1},
                               {{"eps", eps}}, 4.0 * static_cast<double>(T * D));
  });
  return differentiate({&x, &w}, y, [&] {
    return [x, w, eps](std::span<const Tensor> dy) {
      const auto [dx, dw] = rms_norm_backward(x, w, dy[0], eps);
      return std::vector{dx, dw};
    };
  });
}

std::array<Tensor, 2> rms_norm_backward(const Tensor& x, const Tensor& w, const Tensor& dy, float eps) {
  shape_rule(RmsNormBackwardArgsOf<float>::op, dy.shape() == x.shape() && is_vector_of(w, x),
             "expected x and dy [..., D] and w [D]", {&x, &w, &dy});
  const std::int64_t D = x.width(), T = x.rows();
  std::array d{Tensor::empty(x.device(), x.shape(), x.dtype()), Tensor::empty(x.device(), w.shape(), x.dtype())};
  const Tensor scratch = Tensor::empty(x.device(), {norm_blocks(T), D}, x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<RmsNormBackwardArgsOf<Number>>({x.data<Number>(), w.data<Number>(), dy.data<Number>(), d[0].data<Number>(),
                                        d[1].data<Number>(), T, D, eps, scratch.data<Number>()},
                                       {&x, &w, &dy}, d, {{"eps", eps}}, 10.0 * static_cast<double>(T * D));
  });
  return d;
}

Tensor layer_norm(const Tensor& x, const Tensor& w, const Tensor& b, float eps) {
  const std::int64_t D = x.width(), T = x.rows();
  shape_rule(LayerNormArgs::op, is_number(x) && is_vector_of(w, x) && is_vector_of(b, x),
             "expected x [..., D], w [D] and b [D], F32 or F64", {&x, &w, &b});
  Tensor y = Tensor::empty(x.device(), x.shape(), x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<LayerNormArgsOf<Number>>({x.data<Number>(), w.data<Number>(), b.data<Number>(), y.data<Number>(), T, D, eps},
                                 {&x, &w, &b}, {&y, 1}, {{"eps", eps}}, 7.0 * static_cast<double>(T * D));
  });
  return differentiate({&x, &w, &b}, y, [&] {
    return [x, w, eps](std::span<const Tensor> dy) {
      const auto [dx, dw, db] = layer_norm_backward(x, w, dy[0], eps);
      return std::vector{dx, dw, db};
    };
  });
}

std::array<Tensor, 3> layer_norm_backward(const Tensor& x, const Tensor& w, const Tensor& dy, float eps) {
  shape_rule(LayerNormBackwardArgsOf<float>::op, dy.shape() == x.shape() && is_vector_of(w, x),
             "expected x and dy [..., D] and w [D]", {&x, &w, &dy});
  const std::int64_t D = x.width(), T = x.rows();
  std::array d{Tensor::empty(x.device(), x.shape(), x.dtype()), Tensor::empty(x.device(), w.shape(), x.dtype()),
               Tensor::empty(x.device(), w.shape(), x.dtype())};
  const Tensor scratch = Tensor::empty(x.device(), {norm_blocks(T), 2 * D}, x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<LayerNormBackwardArgsOf<Number>>({x.data<Number>(), w.data<Number>(), dy.data<Number>(), d[0].data<Number>(),
                                          d[1].data<Number>(), d[2].data<Number>(), T, D, eps, scratch.data<Number>()},
                                         {&x, &w, &dy}, d, {{"eps", eps}}, 14.0 * static_cast<double>(T * D));
  });
  return d;
}

Tensor l2_norm(const Tensor& x, float eps) {
  shape_rule(L2NormArgsOf<float>::op, is_number(x) && x.shape().rank() > 0, "expected x [..., D], F32 or F64", {&x});
  Tensor y = Tensor::empty(x.device(), x.shape(), x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<L2NormArgsOf<Number>>({x.data<Number>(), y.data<Number>(), x.rows(), x.width(), eps}, {&x}, {&y, 1},
                              {{"eps", eps}}, 3.0 * static_cast<double>(x.shape().elements()));
  });
  // k = 1 / sqrt(sum(x^2) + eps):  dx = k (dy - y sum(y dy))
  return differentiate({&x}, y, [&] {
    return [x, y, eps](std::span<const Tensor> dy) {
      const Tensor root = sqrt(scale(sum(x * x, -1), 1, static_cast<double>(eps)));
      return std::vector{(dy[0] - y * sum(y * dy[0], -1)) / root};
    };
  });
}

}  // namespace toy

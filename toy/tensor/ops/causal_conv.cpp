#include "toy/tensor/ops/causal_conv.h"

#include <vector>

namespace toy {

Tensor causal_conv(const Tensor& x, const Tensor& w) {
  const Op& op = CausalConvArgsOf<float>::op;
  shape_rule(op,
             is_number(x) && x.dtype() == w.dtype() && x.shape().rank() == 2 && w.shape().rank() == 2 &&
                 w.shape()[0] == x.width() && w.shape()[1] > 0,
             "expected x [T, C] and w [C, k], both F32 or F64", {&x, &w});
  const std::int64_t T = x.rows(), C = x.width(), k = w.shape()[1];
  Tensor y = Tensor::empty(x.device(), x.shape(), x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<CausalConvArgsOf<Number>>({x.data<Number>(), w.data<Number>(), y.data<Number>(), T, C, k}, {&x, &w}, {&y, 1},
                                  {}, 2.0 * static_cast<double>(T * C * k));
  });
  return differentiate({&x, &w}, y, [&] {
    return [x, w](std::span<const Tensor> dy) {
      const auto [dx, dw] = causal_conv_backward(x, w, dy[0]);
      return std::vector{dx, dw};
    };
  });
}

std::array<Tensor, 2> causal_conv_backward(const Tensor& x, const Tensor& w, const Tensor& dy) {
  shape_rule(CausalConvBackwardArgsOf<float>::op,
             dy.shape() == x.shape() && x.shape().rank() == 2 && w.shape().rank() == 2 && w.shape()[0] == x.width(),
             "expected x and dy [T, C] and w [C, k]", {&x, &w, &dy});
  std::array d{Tensor::zeros(x.device(), x.shape(), x.dtype()), Tensor::zeros(x.device(), w.shape(), x.dtype())};
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<CausalConvBackwardArgsOf<Number>>({x.data<Number>(), w.data<Number>(), dy.data<Number>(), d[0].data<Number>(),
                                           d[1].data<Number>(), x.rows(), x.width(), w.shape()[1]},
                                          {&x, &w, &dy}, d, {}, 0);
  });
  return d;
}

}  // namespace toy

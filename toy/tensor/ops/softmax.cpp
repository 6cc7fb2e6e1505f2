#include "toy/tensor/ops/softmax.h"

#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/elementwise.h"
#include "toy/tensor/ops/reduce.h"

namespace toy {

namespace {

template <template <class> class Args>
Tensor over_rows(const Tensor& x) {
  shape_rule(Args<float>::op, is_number(x) && x.width() > 0, "expected x [..., V], F32 or F64", {&x});
  Tensor y = Tensor::empty(x.device(), x.shape(), x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<Args<Number>>({x.data<Number>(), y.data<Number>(), x.rows(), x.width()}, {&x}, {&y, 1}, {},
                      4.0 * static_cast<double>(x.shape().elements()));
  });
  return y;
}

}  // namespace

Tensor softmax(const Tensor& x) {
  const Tensor y = over_rows<SoftmaxArgsOf>(x);
  // dx = y (dy - sum(y dy))
  return differentiate({&x}, y, [&] {
    return [y](std::span<const Tensor> dy) { return std::vector{y * (dy[0] - sum(y * dy[0], -1))}; };
  });
}

Tensor log_softmax(const Tensor& x) {
  const Tensor y = over_rows<LogSoftmaxArgsOf>(x);
  // dx = dy - e^y sum(dy)
  return differentiate({&x}, y, [&] {
    return [y](std::span<const Tensor> dy) { return std::vector{dy[0] - exp(y) * sum(dy[0], -1)}; };
  });
}

}  // namespace toy

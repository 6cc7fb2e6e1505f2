#include "toy/tensor/ops/softmax.h"

namespace toy {

Tensor log_softmax(const Tensor& x) {
  shape_rule(LogSoftmaxArgs::op.info(), x.dtype() == DType::F32 && x.width() > 0, "expected x [T, V] F32", {&x});
  Tensor y = Tensor::empty(x.device(), x.shape());
  run<LogSoftmaxArgs>({x.data<float>(), y.data<float>(), x.rows(), x.width()}, {&x}, {&y, 1}, {},
                      4.0 * static_cast<double>(x.shape().elements()));
  return y;
}

}  // namespace toy

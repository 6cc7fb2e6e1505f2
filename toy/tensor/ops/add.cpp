#include "toy/tensor/ops/add.h"

namespace toy {

Tensor add(const Tensor& a, const Tensor& b) {
  shape_rule(AddArgs::op.info(), a.shape() == b.shape() && a.dtype() == DType::F32 && b.dtype() == DType::F32,
             "expected two F32 tensors of one shape", {&a, &b});
  Tensor y = Tensor::empty(a.device(), a.shape());
  const std::int64_t n = a.shape().elements();
  run<AddArgs>({a.data<float>(), b.data<float>(), y.data<float>(), n}, {&a, &b}, {&y, 1}, {}, static_cast<double>(n));
  return y;
}

}  // namespace toy

#include "toy/tensor/ops/activation.h"

namespace toy {

Tensor swiglu(const Tensor& g, const Tensor& u) {
  shape_rule(SwigluArgs::op.info(), g.shape() == u.shape() && g.dtype() == DType::F32 && u.dtype() == DType::F32,
             "expected two F32 tensors of one shape", {&g, &u});
  Tensor y = Tensor::empty(g.device(), g.shape());
  const std::int64_t n = g.shape().elements();
  run<SwigluArgs>({g.data<float>(), u.data<float>(), y.data<float>(), n}, {&g, &u}, {&y, 1}, {},
                  5.0 * static_cast<double>(n));
  return y;
}

Tensor gelu(const Tensor& x) {
  shape_rule(GeluArgs::op.info(), x.dtype() == DType::F32, "expected F32", {&x});
  Tensor y = Tensor::empty(x.device(), x.shape());
  const std::int64_t n = x.shape().elements();
  run<GeluArgs>({x.data<float>(), y.data<float>(), n}, {&x}, {&y, 1}, {}, 9.0 * static_cast<double>(n));
  return y;
}

}  // namespace toy

#include "toy/tensor/ops/norm.h"

namespace toy {

namespace {

bool is_vector_of(const Tensor& w, std::int64_t D) { return w.shape() == Shape{D} && w.dtype() == DType::F32; }

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& w, float eps) {
  const std::int64_t D = x.width(), T = x.rows();
  shape_rule(RmsNormArgs::op.info(), x.dtype() == DType::F32 && is_vector_of(w, D), "expected x [T, D] and w [D], F32",
             {&x, &w});
  Tensor y = Tensor::empty(x.device(), x.shape());
  run<RmsNormArgs>({x.data<float>(), w.data<float>(), y.data<float>(), T, D, eps}, {&x, &w}, {&y, 1}, {{"eps", eps}},
                   4.0 * static_cast<double>(T * D));
  return y;
}

Tensor layer_norm(const Tensor& x, const Tensor& w, const Tensor& b, float eps) {
  const std::int64_t D = x.width(), T = x.rows();
  shape_rule(LayerNormArgs::op.info(), x.dtype() == DType::F32 && is_vector_of(w, D) && is_vector_of(b, D),
             "expected x [T, D], w [D] and b [D], F32", {&x, &w, &b});
  Tensor y = Tensor::empty(x.device(), x.shape());
  run<LayerNormArgs>({x.data<float>(), w.data<float>(), b.data<float>(), y.data<float>(), T, D, eps}, {&x, &w, &b},
                     {&y, 1}, {{"eps", eps}}, 7.0 * static_cast<double>(T * D));
  return y;
}

}  // namespace toy

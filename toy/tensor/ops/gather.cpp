#include "toy/tensor/ops/gather.h"

namespace toy {

Tensor gather(const Tensor& W, const Tensor& ids) {
  shape_rule(GatherArgs::op.info(),
             W.shape().rank() == 2 && ids.shape().rank() == 1 && ids.dtype() == DType::I32 && can_compute(W.dtype()),
             "expected W [N, K] of a type that can be computed and ids [T] I32", {&W, &ids});
  const std::int64_t N = W.shape()[0], K = W.shape()[1], T = ids.shape()[0];
  if (ids.raw() != nullptr) {
    for (const std::int32_t id : ids.values<std::int32_t>()) {
      if (id < 0 || id >= N) refuse("gather: id {} is out of range 0..{}", id, N - 1);
    }
  }
  Tensor y = Tensor::empty(W.device(), {T, K});
  run<GatherArgs>({W.raw(), W.dtype(), W.storage().layout, N, K, ids.data<std::int32_t>(), y.data<float>(), T},
                  {&W, &ids}, {&y, 1}, {}, 0);
  return y;
}

}  // namespace toy

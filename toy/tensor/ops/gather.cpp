#include "toy/tensor/ops/gather.h"

namespace toy {

namespace {

void check_ids(const Tensor& ids, std::int64_t N) {
  if (ids.raw() == nullptr) return;
  for (const std::int32_t id : ids.values<std::int32_t>()) {
    if (id < 0 || id >= N) refuse("gather: id {} is out of range 0..{}", id, N - 1);
  }
}

/// y[ids_t] += x_t
void add_rows(const Tensor& x, const Tensor& ids, const Tensor& y) {
  const std::int64_t T = ids.shape().elements(), K = x.width();
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<ScatterAddArgsOf<Number>>({x.data<Number>(), ids.data<std::int32_t>(), y.data<Number>(), T, K}, {&x, &ids},
                                  {&y, 1}, {}, static_cast<double>(T * K));
  });
}

}  // namespace

Tensor gather(const Tensor& W, const Tensor& ids) {
  shape_rule(GatherArgs::op,
             W.shape().rank() == 2 && ids.shape().rank() < Shape::max_rank && ids.dtype() == DType::I32 &&
                 (can_compute(W.dtype()) || W.dtype() == DType::F64),
             "expected W [N, K] of a type that can be computed and ids [...] I32", {&W, &ids});
  const std::int64_t N = W.shape()[0], K = W.shape()[1], T = ids.shape().elements();
  check_ids(ids, N);
  std::vector<std::int64_t> axes;
  axes.reserve(Shape::max_rank);
  for (int i = 0; i < ids.shape().rank(); ++i) axes.push_back(ids.shape()[i]);
  axes.push_back(K);
  Tensor y = Tensor::empty(W.device(), Shape(axes), W.dtype() == DType::F64 ? DType::F64 : DType::F32);
  with_number(y.dtype(), [&]<class Number>(Number) {
    run<GatherArgsOf<Number>>(
        {W.raw(), W.dtype(), W.storage().layout, N, K, ids.data<std::int32_t>(), y.data<Number>(), T}, {&W, &ids},
        {&y, 1}, {}, 0);
  });
  return differentiate({&W}, y, [&] {
    if (W.dtype() != y.dtype()) fail("gather: a weight of type {} has no gradient", name(W.dtype()));
    return [W, ids, N](std::span<const Tensor> dy) {
      const Tape* tape = W.device().tape();
      const Tensor sum = tape != nullptr ? tape->sum_of(W) : Tensor();
      if (!sum) return std::vector{scatter_add(dy[0], ids, N)};
      add_rows(dy[0], ids, sum);
      return std::vector{Tensor()};
    };
  });
}

Tensor scatter_add(const Tensor& x, const Tensor& ids, std::int64_t N) {
  const std::int64_t T = ids.shape().elements(), K = x.width();
  shape_rule(ScatterAddArgsOf<float>::op,
             is_number(x) && ids.dtype() == DType::I32 && x.shape().rank() == ids.shape().rank() + 1 && x.rows() == T,
             "expected x [..., K] and ids [...] I32", {&x, &ids});
  check_ids(ids, N);
  Tensor y = Tensor::zeros(x.device(), {N, K}, x.dtype());
  add_rows(x, ids, y);
  return y;
}

}  // namespace toy

// Sum of two tensors.
#pragma once

#include "toy/tensor/op.h"

namespace toy {

/// y = a + b. a, b of one shape, F32 -> the same shape.
Tensor add(const Tensor& a, const Tensor& b);
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }

struct AddArgs {
  static constexpr Op op{"add"};
  const float* a;
  const float* b;
  float* y;
  std::int64_t n;
};

template <class Real>
void add_ref(const AddArgs& a) {
  for (std::int64_t i = 0; i < a.n; ++i)
    a.y[i] = static_cast<float>(static_cast<Real>(a.a[i]) + static_cast<Real>(a.b[i]));
}

}  // namespace toy

// The loss of a language model.
#pragma once

#include <algorithm>
#include <cmath>

#include "toy/tensor/op.h"

namespace toy {

/// loss = sum over t of -log softmax(h_t W^T)[target_t] / count, a scalar {}; rows with target -1 add nothing.
/// h [T, D], W [V, D], both F32 or both F64; targets [T] I32 in -1..V-1. `count` is the number of targets that the
/// mean is taken over, those of other calls included; 0 takes the targets of this call, and gives 0 where none counts.
/// Logits exist for some rows at a time. Where a gradient is wanted it is taken in the same pass, with
/// dz_t = (softmax(z_t) - onehot(target_t)) / count, dh = dz W and dW = dz^T h (Hsu et al. 2024).
Tensor cross_entropy(const Tensor& h, const Tensor& W, const Tensor& targets, std::int64_t count = 0);

/// Logits z become their gradient, where wanted.
template <class Number>
struct CrossEntropyArgsOf {
  static constexpr Op op{"cross_entropy", "y = sum(-log softmax(h W^T)[target]) / count", true};
  Number* z;                    // [T, V]
  const std::int32_t* targets;  // [T]
  double* losses;               // [T], 0 where the target is -1
  std::int64_t T, V;
  double weight;  // of one row in the mean
  bool gradient;
};
using CrossEntropyArgs = CrossEntropyArgsOf<float>;

template <class Number>
void cross_entropy_ref(const CrossEntropyArgsOf<Number>& a) {
  for (std::int64_t t = 0; t < a.T; ++t) {
    Number* z = a.z + t * a.V;
    const std::int32_t target = a.targets[t];
    a.losses[t] = 0;
    if (target < 0) {
      if (a.gradient) std::fill(z, z + a.V, Number{0});
      continue;
    }
    const auto top = static_cast<double>(*std::max_element(z, z + a.V));
    double sum = 0;
    for (std::int64_t i = 0; i < a.V; ++i) sum += std::exp(static_cast<double>(z[i]) - top);
    a.losses[t] = top + std::log(sum) - static_cast<double>(z[target]);
    if (!a.gradient) continue;
    for (std::int64_t i = 0; i < a.V; ++i) {
      const double p = std::exp(static_cast<double>(z[i]) - top) / sum;
      z[i] = static_cast<Number>((p - (i == target ? 1 : 0)) * a.weight);
    }
  }
}

}  // namespace toy

#include "toy/optim/clip.h"

#include <algorithm>
#include <cmath>

#include "toy/tensor/ops/elementwise.h"

namespace toy {

double global_norm(std::span<const Tensor> gradients) {
  double squares = 0;
  for (const Tensor& g : gradients) {
    if (!g) continue;
    with_number(g.dtype(), [&]<class Number>(Number) {
      for (const Number x : g.values<Number>()) squares += static_cast<double>(x) * static_cast<double>(x);
    });
  }
  return std::sqrt(squares);
}

double clip_global_norm(std::span<Tensor> gradients, double most) {
  const double norm = global_norm(gradients), factor = std::min(1.0, most / (norm + 1e-6));
  for (Tensor& g : gradients) {
    if (g) g = scale(g, factor);
  }
  return norm;
}

}  // namespace toy

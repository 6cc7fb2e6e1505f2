#include "toy/optim/clip.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "toy/tensor/ops/elementwise.h"
#include "toy/tensor/ops/reduce.h"

namespace toy {

double global_norm(std::span<const Tensor> gradients) {
  double sum = 0;
  for (const Tensor& g : gradients) {
    if (!g) continue;
    const Tensor blocks = squares(g);
    for (const double x : blocks.values<double>()) sum += x;
  }
  return std::sqrt(sum);
}

double clip_global_norm(std::span<const Tensor> gradients, double most) {
  if (!(most >= 0)) fail("clip_global_norm: expected a largest norm of 0 or more, found {}", most);
  const double norm = global_norm(gradients), factor = std::isfinite(norm) ? std::min(1.0, most / (norm + 1e-6)) : 1;
  std::set<const std::byte*> done;  // two parameters may share one gradient
  for (const Tensor& g : gradients) {
    if (!g || factor == 1 || !done.insert(g.raw()).second) continue;
    with_number(g.dtype(), [&]<class Number>(Number) {
      auto* x = g.data<Number>();
      const std::int64_t n = g.shape().elements();
      run<ScaleArgsOf<Number>>({x, x, n, factor, 0}, {&g}, {&g, 1}, {}, static_cast<double>(n));
    });
  }
  return norm;
}

}  // namespace toy

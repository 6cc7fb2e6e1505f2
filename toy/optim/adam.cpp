#include "toy/optim/adam.h"

#include <cmath>

#include "toy/tensor/ops/update.h"

namespace toy {

AdamW::AdamW(std::vector<Parameter> parameters, const AdamOptions& options)
    : MomentOptimizer(std::move(parameters), options.rate, {"m", "v"}), options_(options) {
  for (const double beta : {options.beta1, options.beta2}) {
    if (!(beta >= 0 && beta < 1)) refuse("adam: beta {} is not in [0, 1)", beta);
  }
  if (!(options.eps >= 0)) refuse("adam: eps {} is below 0", options.eps);
  if (!(options.weight_decay >= 0)) refuse("adam: weight decay {} is below 0", options.weight_decay);
}

void AdamW::update(const Parameter& p, const Tensor& g, std::span<const Tensor> moments, std::int64_t step) {
  const auto t = static_cast<double>(step);
  adam_update(p.value, g, moments[0], moments[1],
              {.rate = learning_rate(),
               .beta1 = options_.beta1,
               .beta2 = options_.beta2,
               .eps = options_.eps,
               .weight_decay = p.decays() || options_.decay_vectors ? options_.weight_decay : 0,
               .correction1 = 1 - std::pow(options_.beta1, t),
               .correction2 = 1 - std::pow(options_.beta2, t)});
}

}  // namespace toy

#include "toy/optim/sgd.h"

#include "toy/tensor/ops/update.h"

namespace toy {

namespace {

std::vector<std::string> velocity(const SgdOptions& o) {
  return o.momentum != 0 ? std::vector<std::string>{"v"} : std::vector<std::string>{};
}

}  // namespace

SGD::SGD(std::vector<Parameter> parameters, const SgdOptions& options)
    : MomentOptimizer(std::move(parameters), options.rate, velocity(options)), options_(options) {
  if (!(options.momentum >= 0 && options.momentum < 1)) refuse("sgd: momentum {} is not in [0, 1)", options.momentum);
  if (options.nesterov && options.momentum == 0) refuse("sgd: Nesterov's form needs a momentum");
}

void SGD::update(const Parameter& p, const Tensor& g, std::span<const Tensor> moments, std::int64_t /*step*/) {
  sgd_update(p.value, g, moments.empty() ? Tensor() : moments[0],
             {learning_rate(), options_.momentum, options_.nesterov});
}

RMSprop::RMSprop(std::vector<Parameter> parameters, const RmsPropOptions& options)
    : MomentOptimizer(std::move(parameters), options.rate, {"v"}), options_(options) {
  if (!(options.alpha >= 0 && options.alpha < 1)) refuse("rmsprop: alpha {} is not in [0, 1)", options.alpha);
  if (!(options.eps > 0)) refuse("rmsprop: eps {} is not above 0", options.eps);
}

void RMSprop::update(const Parameter& p, const Tensor& g, std::span<const Tensor> moments, std::int64_t /*step*/) {
  rmsprop_update(p.value, g, moments[0], {learning_rate(), options_.alpha, options_.eps});
}

}  // namespace toy

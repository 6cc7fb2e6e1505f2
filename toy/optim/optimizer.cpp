#include "toy/optim/optimizer.h"

#include <cstring>

#include "toy/tensor/device.h"

namespace toy {

MomentOptimizer::MomentOptimizer(std::vector<Parameter> parameters, double rate, std::vector<std::string> moments)
    : parameters_(std::move(parameters)), rate_(rate), suffixes_(std::move(moments)) {
  for (const Parameter& p : parameters_) {
    std::vector<Tensor> own;
    for (std::size_t i = 0; i < suffixes_.size(); ++i) {
      own.emplace_back(p.value.device().allocate(p.value.bytes(), Lifetime::kept), p.value.shape(), p.value.dtype());
      if (p.value.bytes() > 0) std::memset(own.back().raw(), 0, static_cast<std::size_t>(p.value.bytes()));
    }
    moments_.push_back(std::move(own));
  }
}

void MomentOptimizer::step(std::span<const Tensor> gradients) {
  if (gradients.size() != parameters_.size()) {
    fail("optimizer: {} gradients for {} parameters", gradients.size(), parameters_.size());
  }
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Tensor& value = parameters_[i].value;
    if (gradients[i] && (gradients[i].shape() != value.shape() || gradients[i].dtype() != value.dtype())) {
      fail("optimizer: {}: expected a gradient {} {}, found {} {}", parameters_[i].name, name(value.dtype()),
           value.shape().str(), name(gradients[i].dtype()), gradients[i].shape().str());
    }
  }
  ++steps_;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i]) update(parameters_[i], gradients[i], moments_[i], steps_);
  }
}

std::vector<Parameter> MomentOptimizer::state() const {
  std::vector<Parameter> all;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    for (std::size_t j = 0; j < suffixes_.size(); ++j) {
      all.push_back({parameters_[i].name + "." + suffixes_[j], moments_[i][j]});
    }
  }
  return all;
}

}  // namespace toy

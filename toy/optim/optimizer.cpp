#include "toy/optim/optimizer.h"

#include <cmath>
#include <cstring>

#include "toy/tensor/device.h"

namespace toy {

MomentOptimizer::MomentOptimizer(std::vector<Parameter> parameters, double rate, std::vector<std::string> moments)
    : parameters_(std::move(parameters)), suffixes_(std::move(moments)) {
  set_learning_rate(rate);
  for (const Parameter& p : parameters_) {
    if (!p.value) fail("optimizer: {} is an empty Tensor", p.name);
    if ((p.value.dtype() != DType::F32 && p.value.dtype() != DType::F64) || p.value.storage().layout != Layout::rows) {
      fail("optimizer: {}: expected F32 or F64 in rows, found {} {}{}", p.name, name(p.value.dtype()),
           p.value.shape().str(), p.value.storage().layout == Layout::rows ? "" : " in panels");
    }
    std::vector<Tensor> own;
    for (std::size_t i = 0; i < suffixes_.size(); ++i) {
      own.emplace_back(p.value.device().allocate(p.value.bytes(), Lifetime::kept), p.value.shape(), p.value.dtype());
      if (own.back().raw() != nullptr) std::memset(own.back().raw(), 0, static_cast<std::size_t>(p.value.bytes()));
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

void MomentOptimizer::set_learning_rate(double rate) {
  if (!std::isfinite(rate)) fail("optimizer: expected a learning rate, found {}", rate);
  rate_ = rate;
}

void MomentOptimizer::resume(std::int64_t steps) {
  if (steps < 0) fail("optimizer: expected 0 steps or more, found {}", steps);
  steps_ = steps;
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

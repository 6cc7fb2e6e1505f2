// Stochastic gradient descent, and RMSprop.
#pragma once

#include "toy/optim/optimizer.h"

namespace toy {

struct SgdOptions {
  double rate = 1e-3;
  double momentum = 0;
  bool nesterov = false;  // needs momentum
};

/// v = momentum v + g (v = g at the first step);  p -= rate v.  Nesterov: p -= rate (g + momentum v)
/// (Sutskever et al. 2013, in the form in which the rate multiplies the whole velocity).
class SGD final : public MomentOptimizer {
 public:
  /// Errors: a momentum outside [0, 1), Nesterov without momentum.
  SGD(std::vector<Parameter> parameters, const SgdOptions& options);

 protected:
  void update(const Parameter& p, const Tensor& g, std::span<const Tensor> moments, std::int64_t step) override;

 private:
  SgdOptions options_;
};

struct RmsPropOptions {
  double rate = 1e-2;
  double alpha = 0.99, eps = 1e-8;
};

/// v = alpha v + (1 - alpha) g^2;  p -= rate g / (sqrt(v) + eps) (Tieleman & Hinton 2012).
class RMSprop final : public MomentOptimizer {
 public:
  /// Errors: alpha outside [0, 1), an eps that is not above 0.
  explicit RMSprop(std::vector<Parameter> parameters, const RmsPropOptions& options = {});

 protected:
  void update(const Parameter& p, const Tensor& g, std::span<const Tensor> moments, std::int64_t step) override;

 private:
  RmsPropOptions options_;
};

}  // namespace toy

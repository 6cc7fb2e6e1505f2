// Adam and AdamW.
#pragma once

#include "toy/optim/optimizer.h"

namespace toy {

struct AdamOptions {
  double rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0;
  bool decay_vectors = false;  // also norms and biases; otherwise matrices only
};

/// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
/// (Kingma & Ba 2015). With weight decay, first p *= 1 - rate decay (AdamW: Loshchilov & Hutter 2019).
class AdamW final : public MomentOptimizer {
 public:
  /// Errors: betas outside [0, 1), eps or decay below 0.
  AdamW(std::vector<Parameter> parameters, const AdamOptions& options);

 protected:
  void update(const Parameter& p, const Tensor& g, std::span<const Tensor> moments, std::int64_t step) override;

 private:
  AdamOptions options_;
};

}  // namespace toy

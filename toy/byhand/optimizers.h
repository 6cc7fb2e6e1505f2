// One step downhill.
#pragma once

#include <span>
#include <vector>

#include "toy/byhand/matrix.h"

namespace toy::byhand {

/// w -= lr g (Robbins & Monro 1951)
class SGD {
 public:
  explicit SGD(double lr) : lr_(lr) {}

  /// Errors: std::invalid_argument unless every gradient has the shape of its parameter.
  void step(std::span<Matrix* const> parameters, std::span<const Matrix* const> gradients) const;

 private:
  double lr_;
};

struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
};

/// m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
/// w -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) at step t = 1, 2, ... (Kingma & Ba 2015).
/// m and v start at 0; dividing by 1 - beta^t takes that bias out.
class Adam {
 public:
  explicit Adam(const AdamOptions& options = {}) : options_(options) {}

  /// Always the same parameters in the same order. Errors: as SGD's.
  void step(std::span<Matrix* const> parameters, std::span<const Matrix* const> gradients);

 private:
  AdamOptions options_;
  std::vector<Matrix> m_, v_;
  double beta1_t_ = 1, beta2_t_ = 1;  // beta^t, one factor a step
};

}  // namespace toy::byhand

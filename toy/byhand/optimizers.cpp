#include "toy/byhand/optimizers.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace toy::byhand {

namespace {

void expect_pairs(std::span<Matrix* const> parameters, std::span<const Matrix* const> gradients) {
  if (parameters.size() != gradients.size()) {
    throw std::invalid_argument("step: " + std::to_string(gradients.size()) + " gradients for " +
                                std::to_string(parameters.size()) + " parameters");
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    expect_shape("step: gradient " + std::to_string(i), *gradients[i], parameters[i]->rows(), parameters[i]->cols());
  }
}

}  // namespace

void SGD::step(std::span<Matrix* const> parameters, std::span<const Matrix* const> gradients) const {
  expect_pairs(parameters, gradients);
  for (std::size_t i = 0; i < parameters.size(); ++i) *parameters[i] += -lr_ * *gradients[i];
}

void Adam::step(std::span<Matrix* const> parameters, std::span<const Matrix* const> gradients) {
  expect_pairs(parameters, gradients);
  if (m_.empty()) {
    for (const Matrix* g : gradients) m_.emplace_back(g->rows(), g->cols());
    v_ = m_;
  }
  if (m_.size() != parameters.size()) {
    throw std::invalid_argument("Adam: the first step had " + std::to_string(m_.size()) + " parameters, this one " +
                                std::to_string(parameters.size()));
  }
  const auto [lr, beta1, beta2, eps] = options_;
  beta1_t_ *= beta1;
  beta2_t_ *= beta2;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    expect_shape("Adam: parameter " + std::to_string(i), *parameters[i], m_[i].rows(), m_[i].cols());
    for (std::size_t j = 0; j < m_[i].values().size(); ++j) {
      const double g = gradients[i]->values()[j];
      double& m = m_[i].values()[j];
      double& v = v_[i].values()[j];
      m = beta1 * m + (1 - beta1) * g;
      v = beta2 * v + (1 - beta2) * g * g;
      parameters[i]->values()[j] -= lr * (m / (1 - beta1_t_)) / (std::sqrt(v / (1 - beta2_t_)) + eps);
    }
  }
}

}  // namespace toy::byhand

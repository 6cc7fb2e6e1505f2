// RMSNorm and LayerNorm.
#pragma once

#include "toy/nn/module.h"
#include "toy/tensor/ops/norm.h"

namespace toy {

/// y = x / sqrt(mean(x^2) + eps) * w (Zhang & Sennrich 2019).
class RMSNorm final : public Module {
 public:
  RMSNorm(std::int64_t width, float eps) : width_(width), eps_(eps) {}

  /// x [..., D] -> [..., D]
  Tensor operator()(const Tensor& x) const { return rms_norm(x, weight, eps_); }
  void list(Visitor& v) override;

  Tensor weight;

 private:
  std::int64_t width_;
  float eps_;
};

/// y = (x - mean) / sqrt(var + eps) * w + b (Ba et al. 2016).
class LayerNorm final : public Module {
 public:
  LayerNorm(std::int64_t width, float eps) : width_(width), eps_(eps) {}

  /// x [..., D] -> [..., D]
  Tensor operator()(const Tensor& x) const { return layer_norm(x, weight, bias, eps_); }
  void list(Visitor& v) override;

  Tensor weight, bias;

 private:
  std::int64_t width_;
  float eps_;
};

}  // namespace toy

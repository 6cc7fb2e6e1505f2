// How parameters move: what every optimizer has.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "toy/nn/module.h"

namespace toy {

/// Moves parameters by their gradients. Parameters are F32 or F64 and lie in rows; their elements change in place.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One step. gradients: one for each parameter, of its shape; an empty one leaves its parameter alone.
  /// Errors: another number of gradients, or another shape (names the parameter).
  virtual void step(std::span<const Tensor> gradients) = 0;
  /// Steps taken so far.
  virtual std::int64_t steps() const = 0;
  virtual double learning_rate() const = 0;
  /// Errors: a rate that is not finite.
  virtual void set_learning_rate(double rate) = 0;
  virtual std::span<const Parameter> parameters() const = 0;
  /// What has to be saved beside the parameters: tensors with names such as "blk.0.attn_q.weight.m".
  virtual std::vector<Parameter> state() const = 0;
  /// Continues after `steps` steps; the elements of state() have been put back. Errors: steps below 0.
  virtual void resume(std::int64_t steps) = 0;

 protected:
  Optimizer() = default;
  Optimizer(const Optimizer&) = default;
  Optimizer(Optimizer&&) = default;
  Optimizer& operator=(const Optimizer&) = default;
  Optimizer& operator=(Optimizer&&) = default;
};

/// An optimizer over a list of parameters, with moments of their shapes.
class MomentOptimizer : public Optimizer {
 public:
  void step(std::span<const Tensor> gradients) final;
  std::int64_t steps() const final { return steps_; }
  double learning_rate() const final { return rate_; }
  void set_learning_rate(double rate) final;
  std::span<const Parameter> parameters() const final { return parameters_; }
  std::vector<Parameter> state() const final;
  void resume(std::int64_t steps) final;

 protected:
  /// moments: the suffixes of the state's names; the state begins as zeros. Errors: a parameter that is empty, of
  /// another type than F32 or F64, or prepared for products (names it).
  MomentOptimizer(std::vector<Parameter> parameters, double rate, std::vector<std::string> moments);
  /// One parameter; step counts from 1. moments: in the order of their suffixes.
  virtual void update(const Parameter& parameter, const Tensor& gradient, std::span<const Tensor> moments,
                      std::int64_t step) = 0;

 private:
  std::vector<Parameter> parameters_;
  double rate_ = 0;
  std::vector<std::string> suffixes_;
  std::vector<std::vector<Tensor>> moments_;  // by parameter
  std::int64_t steps_ = 0;
};

}  // namespace toy

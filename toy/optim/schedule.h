// Learning rates that change with the step. A schedule wraps an optimizer and is one.
#pragma once

#include <memory>

#include "toy/optim/optimizer.h"

namespace toy {

/// Sets the rate of the optimizer inside before each of its steps.
class Schedule : public Optimizer {
 public:
  void step(std::span<const Tensor> gradients) final {
    inner_->set_learning_rate(rate_at(steps()));
    inner_->step(gradients);
  }
  std::int64_t steps() const final { return inner_->steps(); }
  /// Of the next step.
  double learning_rate() const final { return rate_at(steps()); }
  /// The rate that the schedule reaches after its warmup.
  void set_learning_rate(double rate) final {
    inner_->set_learning_rate(rate);  // which refuses what is no rate
    peak_ = rate;
  }
  std::span<const Parameter> parameters() const final { return inner_->parameters(); }
  std::vector<Parameter> state() const final { return inner_->state(); }
  void resume(std::int64_t steps) final { inner_->resume(steps); }

 protected:
  /// Errors: no optimizer.
  explicit Schedule(std::unique_ptr<Optimizer> inner) : inner_(std::move(inner)) {
    if (inner_ == nullptr) fail("schedule: there is no optimizer in it");
    peak_ = inner_->learning_rate();
  }
  /// The rate of the step that follows `step` steps.
  virtual double rate_at(std::int64_t step) const = 0;
  double peak() const { return peak_; }

 private:
  std::unique_ptr<Optimizer> inner_;
  double peak_ = 0;
};

/// rate (s + 1) / (W + 1) for step s < W, then rate.
class LinearWarmup final : public Schedule {
 public:
  /// warmup: W steps. Errors: below 0.
  LinearWarmup(std::unique_ptr<Optimizer> inner, std::int64_t warmup);

 protected:
  double rate_at(std::int64_t step) const override;

 private:
  std::int64_t warmup_;
};

/// The same warmup, then half a cosine down to `least` at step `total`, and `least` from there on
/// (Loshchilov & Hutter 2017, without restarts).
class CosineWithWarmup final : public Schedule {
 public:
  /// Errors: a warmup below 0 or not below total, a least rate outside [0, rate].
  CosineWithWarmup(std::unique_ptr<Optimizer> inner, std::int64_t warmup, std::int64_t total, double least = 0);

 protected:
  double rate_at(std::int64_t step) const override;

 private:
  std::int64_t warmup_, total_;
  double least_;
};

}  // namespace toy

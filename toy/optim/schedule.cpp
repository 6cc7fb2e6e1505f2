#include "toy/optim/schedule.h"

#include <cmath>
#include <numbers>

namespace toy {

namespace {

double warming(double rate, std::int64_t step, std::int64_t warmup) {
  return rate * static_cast<double>(step + 1) / static_cast<double>(warmup + 1);
}

}  // namespace

LinearWarmup::LinearWarmup(std::unique_ptr<Optimizer> inner, std::int64_t warmup)
    : Schedule(std::move(inner)), warmup_(warmup) {
  if (warmup < 0) refuse("warmup: expected at least 0 steps, found {}", warmup);
}

double LinearWarmup::rate_at(std::int64_t step) const {
  return step < warmup_ ? warming(peak(), step, warmup_) : peak();
}

CosineWithWarmup::CosineWithWarmup(std::unique_ptr<Optimizer> inner, std::int64_t warmup, std::int64_t total,
                                   double least)
    : Schedule(std::move(inner)), warmup_(warmup), total_(total), least_(least) {
  if (warmup < 0 || warmup >= total) refuse("warmup: expected fewer steps than the {} in all, found {}", total, warmup);
  if (!(least >= 0 && least <= peak())) refuse("min-lr: expected 0 to {}, found {}", peak(), least);
}

double CosineWithWarmup::rate_at(std::int64_t step) const {
  if (step < warmup_) return warming(peak(), step, warmup_);
  if (step >= total_) return least_;
  const double progress = static_cast<double>(step - warmup_) / static_cast<double>(total_ - warmup_);
  return least_ + 0.5 * (1 + std::cos(std::numbers::pi * progress)) * (peak() - least_);
}

}  // namespace toy

#include "toy/nn/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace toy {

namespace {

/// Ramp of YaRN (eq. 17 and 18): 0 keeps the frequency of pair i, 1 divides it.
double yarn_ramp(const RopeOptions& o, std::int64_t i) {
  const auto R = static_cast<double>(o.width);
  const auto pair_with = [&](double rotations) {  // the pair that turns this often in the original context
    return R * std::log(o.yarn->original_context / (2 * std::numbers::pi * rotations)) / (2 * std::log(o.base));
  };
  const double low = std::max(0.0, std::floor(pair_with(o.yarn->beta_fast)));
  const double high = std::min(R - 1, std::ceil(pair_with(o.yarn->beta_slow)));
  return std::clamp((static_cast<double>(i) - low) / std::max(0.001, high - low), 0.0, 1.0);
}

}  // namespace

std::vector<float> rope_frequencies(const RopeOptions& o) {
  if (o.width < 0 || o.width % 2 != 0) fail("rope: expected an even width, found {}", o.width);
  if (!o.divisors.empty() && std::ssize(o.divisors) != o.width / 2) {
    fail("rope: expected {} divisors of the frequencies, found {}", o.width / 2, o.divisors.size());
  }
  std::vector<float> f(static_cast<std::size_t>(o.width / 2));
  for (std::int64_t i = 0; i < o.width / 2; ++i) {
    const auto at = static_cast<std::size_t>(i);
    double frequency = std::pow(o.base, -2.0 * static_cast<double>(i) / static_cast<double>(o.width));
    if (!o.divisors.empty()) frequency /= static_cast<double>(o.divisors[at]);
    double divided = 1;  // share that is divided by the factor
    if (o.yarn) divided = 1 - (1 - yarn_ramp(o, i)) * o.yarn->extrapolation;
    f[at] = static_cast<float>(frequency * (divided / o.factor + (1 - divided)));
  }
  return f;
}

float rope_scale(const RopeOptions& o) {
  if (!o.yarn) return 1;
  // The rule belongs to the ramp: files without a ramp (extrapolation 0) only interpolate.
  const double rule = o.factor <= 1 || o.yarn->extrapolation == 0 ? 1 : 0.1 * std::log(o.factor) + 1;
  return static_cast<float>(o.yarn->attention_factor * rule);
}

void RoPE::build(Device& device, const Tensor& divisors) {
  options_.divisors.clear();
  if (divisors && divisors.raw() != nullptr) {
    const auto values = divisors.values<float>();
    for (const float v : values) {
      if (!(v > 0) || !std::isfinite(v)) fail("rope_freqs.weight: expected positive numbers, found {}", v);
    }
    options_.divisors.assign(values.begin(), values.end());
  }
  frequencies_ = Tensor::of(device, {options_.width / 2}, std::span<const float>(rope_frequencies(options_)));
  device.name_value(frequencies_, "rope.frequencies", "");
}

}  // namespace toy

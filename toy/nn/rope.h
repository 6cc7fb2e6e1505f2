// RoPE: rotary positions, with the published ways to stretch them.
#pragma once

#include <optional>
#include <vector>

#include "toy/nn/context.h"
#include "toy/tensor/ops/rope.h"

namespace toy {

/// YaRN (Peng et al. 2023, section 3): high frequencies stay, low ones are divided by the factor, a ramp between.
struct Yarn {
  double original_context = 0;
  double beta_fast = 32, beta_slow = 1;
  double extrapolation = 1;  // weight of the ramp
  double attention_factor = 1;
};

struct RopeOptions {
  std::int64_t width = 0;  // R: elements of a head that rotate, even
  double base = 10000;
  double factor = 1;              // positions are divided by it (Chen et al. 2023)
  std::optional<Yarn> yarn{};     // instead of dividing every position
  std::vector<float> divisors{};  // [R/2], of the frequencies (llama3's rope_freqs); empty: none
  Pairing pairing = Pairing::interleaved;
};

/// Frequencies f_i = base^(-2i/R), i < R/2, stretched as the options say. Errors: an odd width, another number of
/// divisors.
std::vector<float> rope_frequencies(const RopeOptions& options);
/// Factor of cos and sin: 1, or YaRN's attention factor (0.1 ln s + 1 for factor s, where there is a ramp).
float rope_scale(const RopeOptions& options);

/// y_t = R(position_t) x_t for every head (Su et al. 2021). One for all layers of a model.
class RoPE {
 public:
  RoPE(std::int64_t head_width, RopeOptions options) : head_width_(head_width), options_(std::move(options)) {}

  /// Computes the frequencies on the device. divisors [R/2] or absent. Errors: divisors that are not positive.
  void build(Device& device, const Tensor& divisors);
  /// x [T, heads * d] -> [T, heads * d]
  Tensor operator()(const Tensor& x, Context& ctx) const {
    return rope(x, ctx.angles(*this), head_width_, options_.pairing);
  }
  std::int64_t width() const { return options_.width; }
  const Tensor& frequencies() const { return frequencies_; }
  float scale() const { return rope_scale(options_); }

 private:
  std::int64_t head_width_;
  RopeOptions options_;
  Tensor frequencies_;
};

}  // namespace toy

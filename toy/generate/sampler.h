// Choosing the next token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "toy/tensor/random.h"

namespace toy {

struct SamplingOptions {
  float temperature = 0;  // 0 or less: the most likely token
  int top_k = 0;          // keep the k most likely; 0: all
  float top_p = 1;        // keep the smallest set with this probability (Holtzman et al. 2020)
  float min_p = 0;        // keep tokens with at least this share of the most likely one's probability
  std::uint64_t seed = 0;
};

/// Draws from a distribution that depends on the logits, the options and the number of draws before, nothing else.
class Sampler {
 public:
  /// Errors: options out of range.
  explicit Sampler(const SamplingOptions& options);

  /// logits [V] -> token id. Equal logits: the lower id first. Logits that are not numbers are never chosen. Errors: no
  /// logits.
  std::int32_t operator()(std::span<const float> logits);

 private:
  SamplingOptions options_;
  Random random_;
  std::vector<std::pair<float, std::int32_t>> candidates_;
};

/// The id with the largest logit, the lowest of equals. Errors: no logits.
std::int32_t most_likely(std::span<const float> logits);

/// The k largest values with their ids, largest first, lower ids first among equals. Errors: a k below 0.
std::vector<std::pair<float, std::int32_t>> largest(std::span<const float> values, int k);

}  // namespace toy

// Writing on, one id at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "toy/byhand/transformer.h"

namespace toy::byhand {

struct GenerateOptions {
  int n = 32;              // how many ids
  double temperature = 0;  // 0 or less: always the most likely id
  std::uint64_t seed = 0;
};

/// The n ids that follow the prompt, drawn from softmax(logits / temperature). The model sees the last C ids: a window
/// that slides, counted from position 0 each time. The same seed gives the same ids.
/// Errors: std::invalid_argument for an empty prompt, an id out of range, a negative n or a temperature that is no
/// number.
std::vector<int> generate_from_ids(const TransformerLM& lm, const std::vector<int>& prompt,
                                   const GenerateOptions& options);

}  // namespace toy::byhand

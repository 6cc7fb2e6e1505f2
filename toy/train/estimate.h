// How much memory and time a training takes, before it begins.
#pragma once

#include <cstdint>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/train/recipe.h"

namespace toy {

struct TrainingMemory {
  std::int64_t parameters = 0;  // and the packed copies the products use
  std::int64_t gradients = 0;
  std::int64_t optimizer = 0;    // moments
  std::int64_t activations = 0;  // what a forward keeps for the backward
  std::int64_t data = 0;         // corpus and vocabulary, roughly
  std::int64_t total() const { return parameters + gradients + optimizer + activations + data; }
};

/// Of a model of this shape and vocabulary; `corpus_bytes` of text.
TrainingMemory training_memory(const Metadata& metadata, const TrainingOptions& options, std::int64_t context,
                               std::uint64_t corpus_bytes);

/// Memory that the system could give now, bytes; 0: unknown.
std::int64_t available_memory();

struct TrainingEstimate {
  static constexpr int steps_tried = 3;
  TrainingMemory memory;
  std::int64_t available = 0;
  double seconds = 0;
  double tokens_per_second = 0;
};
/// Learns the vocabulary, then tries a few steps in memory. Errors: the memory does not suffice (says how much of
/// what).
TrainingEstimate estimate_training(const FromScratch& recipe, const Corpus& corpus, const CpuOptions& cpu);

/// Errors: less memory is available than the estimate.
void require_memory(const TrainingMemory& memory);

}  // namespace toy

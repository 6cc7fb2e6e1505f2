// How much memory and time a training takes, before it begins.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/train/recipe.h"

namespace toy {

/// What text takes in bytes: at most while its vocabulary is learned and it becomes tokens, and while the steps go on.
struct DataMemory {
  std::int64_t preparing = 0, kept = 0;
};
/// By measured bytes for each byte of text, and of what a vocabulary's file holds beside tensors; ids are counted on
/// samples of the texts, or guessed where there is no tokenizer yet.
DataMemory data_memory(const VocabularyOptions& vocabulary, std::span<const std::string_view> texts,
                       const Tokenizer* tokenizer);
/// How many ids the texts become, BOS and EOS of each included, by 32 samples.
double expected_ids(const Tokenizer& tokenizer, std::span<const std::string_view> texts);

struct TrainingMemory {
  std::int64_t parameters = 0;
  std::int64_t gradients = 0;
  std::int64_t optimizer = 0;    // moments
  std::int64_t activations = 0;  // what a forward keeps for the backward, and what kernels work in
  std::int64_t data = 0;  // tokens, vocabulary and program; where preparing them takes more than all else, the rest
  std::int64_t total() const { return parameters + gradients + optimizer + activations + data; }
};

/// Of a model of this shape and vocabulary, trained on its whole context.
TrainingMemory training_memory(const Metadata& metadata, const TrainingOptions& options, const DataMemory& data);

/// Memory that the system could give now, bytes; 0: unknown.
std::int64_t available_memory();

/// Errors: less memory is available than the estimate (says how much of what).
void require_memory(const TrainingMemory& memory);
void require_memory(const DataMemory& memory, std::uint64_t corpus_bytes);

struct TrainingTime {
  double seconds = 0;
  double tokens_per_second = 0;
};
/// Tries a few steps in memory, of at most some thousand tokens each, for `least_seconds` or longer. Nothing: cancelled
/// before one was timed.
std::optional<TrainingTime> time_training(const FromScratch& recipe, const Corpus& corpus, const Vocabulary& words,
                                          const CpuOptions& cpu, const std::stop_token& cancel = {},
                                          double least_seconds = 0);

/// What a training reads to validate: in each validation on the way and at the end of all.
struct ValidationTokens {
  double each = 0, every_steps = 0, at_the_end = 0;  // every_steps 0: none on the way
};
/// Steps that take so many seconds together with their validations, at least 1. A forward takes a third of a step.
std::int64_t steps_within(double seconds, double tokens_per_second, double tokens_of_a_step,
                          const ValidationTokens& validation);

}  // namespace toy

// From scratch: a vocabulary from the corpus, a new model, and its training.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "toy/text/train_bpe.h"
#include "toy/train/config.h"
#include "toy/train/corpus.h"
#include "toy/train/training.h"

namespace toy {

/// Where the vocabulary comes from.
struct VocabularyOptions {
  std::string kind = "bpe";   // "bpe", "char", "byte", or a GGUF file that has one
  std::int64_t merges = 500;  // pieces that bpe learns beyond the characters
  std::int64_t cuts = 0;      // random places at which each document is broken before it is encoded into pieces
};

/// A model with random parameters, trained on a corpus alone.
///
///     CpuDevice device;
///     FromScratch recipe;
///     recipe.model = ModelConfig::tiny();
///     recipe.options = {.steps = 100, .rate = 1e-2};
///     Training training = recipe.realize(device, Corpus::stories(0));
///     while (!training.done()) fmt::print("{}\n", training.step().loss);
struct FromScratch {
  ModelConfig model{};
  TrainingOptions options{};
  VocabularyOptions vocabulary{};
  std::string name = "untitled";

  /// Called while the vocabulary is learned ("vocabulary", merges made, merges wanted) and the corpus encoded
  /// ("corpus", bytes done, bytes); false cancels.
  using Progress = std::function<bool(std::string_view what, std::int64_t done, std::int64_t all)>;

  /// Learns or reads the vocabulary, encodes the corpus (into the file `tokens`, or memory), makes the model. Errors:
  /// options that do not fit each other or the corpus, cancelled.
  Training realize(Device& device, const Corpus& corpus, const std::optional<Place>& tokens = {},
                   const Progress& progress = {}) const;
  /// The same with a vocabulary that is there already, in memory.
  Training realize(Device& device, const Corpus& corpus, Vocabulary words, const std::optional<Place>& tokens = {},
                   const Progress& progress = {}) const;
  /// The vocabulary alone, with what was found while it was made.
  TrainedVocabulary make_vocabulary(const Corpus& corpus, const Progress& progress = {}) const;
};

/// Says that there are fewer pieces than were asked for.
std::string few_pieces(const TrainedVocabulary& words);

}  // namespace toy

// The shape of a new model.
#pragma once

#include <cstdint>
#include <string>

#include "toy/io/metadata.h"
#include "toy/models/create.h"
#include "toy/text/vocabulary.h"

namespace toy {

/// Hyperparameters that a new model is made of; 0 means what follows from the others.
struct ModelConfig {
  std::string arch = "llama";  // or "gpt2"
  std::int64_t d_model = 64;
  std::int64_t layers = 4;
  std::int64_t heads = 4;
  std::int64_t kv_heads = 0;   // 0: heads
  std::int64_t d_ff = 0;       // 0: 8/3 d_model (SwiGLU) or 4 d_model (GELU), in multiples of 32
  std::int64_t context = 128;  // tokens of a training sequence

  /// A model that learns something in seconds: 2 layers of width 32.
  static ModelConfig tiny() { return {.d_model = 32, .layers = 2, .heads = 2, .context = 64}; }

  /// With the zeros filled in. Errors: an unknown architecture, sizes that do not fit (names both).
  ModelConfig resolved() const;
};

/// The metadata of a GGUF file of this model, vocabulary included. `config` is resolved.
Metadata model_metadata(const ModelConfig& config, const Vocabulary& vocabulary, const std::string& name);

/// The modules with parameters on the device: normal(0, 0.02), vectors 1 (norms) or 0 (biases). GPT-2 divides the
/// deviation of what is added to the residual stream by sqrt(2 L) (Radford et al. 2019); its Linear maps have biases.
/// Llama and GPT-2 are tied: the embedding is the head. Errors: as resolved().
std::unique_ptr<Model> initialized_model(const Metadata& metadata, Device& device, std::uint64_t seed);

/// The first values of the parameter that is number `index` of the model's list, written into p.value.
void first_values(const Parameter& p, std::size_t index, const Metadata& metadata, std::uint64_t seed);

/// Which optional parameters a new model of this architecture has.
Wanted optional_parameters(const Metadata& metadata);

}  // namespace toy

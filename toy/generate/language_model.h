// A model file, ready to use: file, tokenizer, parameters.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "toy/io/gguf.h"
#include "toy/models/load.h"
#include "toy/tensor/device.h"
#include "toy/text/tokenizer.h"

namespace toy {

struct LanguageModel {
  /// Opens a GGUF file and loads it onto the device, which must outlive the model.
  /// Errors: whatever the file, the tokenizer and the architecture demand; one line each.
  static LanguageModel open(const std::filesystem::path& path, Device& device);
  /// The same of a file that is already open and mapped.
  static LanguageModel load(GgufFile file, Device& device);

  Device* device;
  GgufFile file;
  std::optional<Tokenizer> tokenizer;  // absent when the file has none
  std::unique_ptr<Model> model;

  /// Errors: there is no model, as after a move.
  void check_loaded() const;
  /// Errors: the file has no tokenizer; use ids.
  const Tokenizer& text() const;
  /// " (llama.context_length)" if that key of the file is where this context comes from, for messages.
  std::string context_key(std::int64_t context) const;
  /// Errors: one of the logits [V] that choose or score a token (its number in the text, from 1) is not finite.
  void check_logits(std::span<const float> logits, std::int64_t token) const;
};

}  // namespace toy

// Text from a prompt.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "toy/generate/engine.h"
#include "toy/generate/language_model.h"
#include "toy/generate/sampler.h"

namespace toy {

struct GenerateOptions {
  std::int64_t n = 128;  // most new tokens
  EngineOptions engine{};
  SamplingOptions sampling{};
  std::vector<std::string> stop{};  // text that ends the generation; not part of the result
  bool ignore_eos = false;          // go on after the end of the text
};

enum class StopReason { length, eos, stop, interrupted };
/// "length", "eos", "stop", "interrupted"
std::string_view name(StopReason reason);

struct Generation {
  std::vector<std::int32_t> prompt_ids;
  std::vector<std::int32_t> ids;  // new tokens, without the one that ended the text
  std::string text;               // of the new tokens
  StopReason stop = StopReason::length;
  bool context_full = false;  // stopped before n because the context ended
  double prefill_tokens_per_second = 0;
  double decode_tokens_per_second = 0;
};

/// Continues prompt_ids. on_text gets the text as it grows, never half a character; `cancel` ends it after the current
/// token. Errors: an empty prompt, ids out of range, a prompt beyond the context (names both lengths),
/// logits that are not finite.
Generation generate(const LanguageModel& lm, std::span<const std::int32_t> prompt_ids, const GenerateOptions& options,
                    const std::function<void(std::string_view)>& on_text = {}, const std::stop_token& cancel = {});

/// Gets each new token with the text that is certain with it, possibly none; without a token, what waited to the end.
using OnToken = std::function<void(std::optional<std::int32_t> id, std::string_view text)>;
/// The same, token by token: the texts together are Generation::text.
Generation generate_tokens(const LanguageModel& lm, std::span<const std::int32_t> prompt_ids,
                           const GenerateOptions& options, const OnToken& on_token, const std::stop_token& cancel = {});

}  // namespace toy

// How likely a model finds a text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "toy/generate/engine.h"
#include "toy/generate/language_model.h"

namespace toy {

struct ScoreOptions {
  EngineOptions engine{};
  int top_k = 0;            // also the k most likely tokens at each place
  std::int64_t window = 0;  // 0: the context
  std::int64_t stride = 0;  // 0: half the window. New tokens per window; the rest is context
};

struct TokenScore {
  std::int32_t id = 0;
  std::optional<float> logprob;  // natural logarithm; absent for the first token of the text
  std::vector<std::pair<float, std::int32_t>> top;
};

struct Score {
  std::vector<TokenScore> tokens;
  std::int64_t count = 0;  // tokens with a logprob
  double nll = 0;          // mean of -logprob over them; 0 without any
  double perplexity = 1;   // e^nll
  bool interrupted = false;
};

/// Scores ids. A text longer than the window is cut into overlapping windows: each token is scored once, with at least
/// window - stride tokens before it (all there are, near the beginning).
/// Errors: no ids, ids out of range, a window beyond the context, a stride that is not in 1..window - 1, logits that
/// are not finite.
Score score(const LanguageModel& lm, std::span<const std::int32_t> ids, const ScoreOptions& options,
            const std::function<void(std::int64_t done)>& on_progress = {}, const std::stop_token& cancel = {});

}  // namespace toy

#include "toy/generate/score.h"

#include <algorithm>
#include <cmath>

#include "toy/generate/sampler.h"
#include "toy/tensor/ops/softmax.h"

namespace toy {

namespace {

/// Most rows of logits held at once.
constexpr std::int64_t head_rows = 64;

/// Scores of tokens [first, first + rows): row r of `hidden` [rows, D] predicts token first + r.
void score_rows(const LanguageModel& lm, const Engine& engine, const Tensor& hidden, std::int64_t first, int top_k,
                Score& score) {
  const auto V = static_cast<std::size_t>(engine.vocabulary());
  const auto row_of = [V](const Tensor& rows, std::int64_t r) {
    return rows.values<float>().subspan(static_cast<std::size_t>(r) * V, V);
  };
  for (std::int64_t begin = 0; begin < hidden.rows(); begin += head_rows) {
    const std::int64_t rows = std::min(head_rows, hidden.rows() - begin);
    const Tensor logits = engine.logits(hidden.slice(begin, rows));
    for (std::int64_t r = 0; r < rows; ++r) lm.check_logits(row_of(logits, r), first + begin + r + 1);
    const Tensor logprobs = log_softmax(logits);
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto row = row_of(logprobs, r);
      TokenScore& token = score.tokens[static_cast<std::size_t>(first + begin + r)];
      token.logprob = row[static_cast<std::size_t>(token.id)];
      if (top_k > 0) token.top = largest(row, top_k);
    }
  }
}

}  // namespace

Score score(const LanguageModel& lm, std::span<const std::int32_t> ids, const ScoreOptions& options,
            const std::function<void(std::int64_t)>& on_progress, const std::stop_token& cancel) {
  lm.check_loaded();
  Engine engine(*lm.model, *lm.device, options.engine);
  if (ids.empty()) refuse("there is nothing to score: the text is empty");
  if (options.top_k < 0) refuse("top-k: expected 0 or more, found {}", options.top_k);
  engine.check_ids(ids);
  if (engine.context() < 2) {
    refuse("a score needs a context of 2 tokens or more, found {}{}", engine.context(),
           lm.context_key(engine.context()));
  }
  const std::int64_t window = options.window == 0 ? engine.context() : options.window;
  const std::int64_t stride = options.stride == 0 ? std::max<std::int64_t>(1, window / 2) : options.stride;
  if (window < 2 || window > engine.context()) {
    refuse("window: expected 2 to {} tokens, found {}", engine.context(), window);
  }
  if (stride < 1 || stride >= window)
    refuse("stride: expected 1 token or more and fewer than the window of {}, found {}", window, stride);

  Score result;
  for (const std::int32_t id : ids) result.tokens.push_back({id, {}, {}});
  const auto length = static_cast<std::int64_t>(ids.size());
  std::int64_t scored = 1;  // tokens before this one are done; the first has nothing before it
  for (std::int64_t begin = 0; scored < length; begin += stride) {
    const std::int64_t end = std::min(length, begin + window);
    KVCache sequence = engine.sequence();
    for (std::int64_t at = begin; at < end - 1;) {
      if (cancel.stop_requested()) {
        result.interrupted = true;
        break;
      }
      // Rows before scored - 1 only fill the cache.
      const std::int64_t predicts = scored - 1;
      std::int64_t count = std::min(end - 1 - at, options.engine.chunk);
      if (at < predicts) count = std::min(count, predicts - at);
      const auto part = ids.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count));
      const Engine::Feed feed{&sequence, part, at < predicts ? Engine::Want::nothing : Engine::Want::all};
      const Tensor hidden = engine.hidden({&feed, 1});
      if (hidden) {
        score_rows(lm, engine, hidden, at + 1, options.top_k, result);
        scored = at + count + 1;
      }
      at += count;
      if (on_progress) on_progress(scored);
    }
    if (result.interrupted) break;
  }
  double sum = 0;
  for (const TokenScore& token : result.tokens) {
    if (!token.logprob) continue;
    sum -= static_cast<double>(*token.logprob);
    ++result.count;
  }
  if (result.count > 0) result.nll = sum / static_cast<double>(result.count);
  result.perplexity = std::exp(result.nll);
  return result;
}

}  // namespace toy

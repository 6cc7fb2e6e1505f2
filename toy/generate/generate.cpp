#include "toy/generate/generate.h"

#include <algorithm>
#include <chrono>

#include "toy/io/plural.h"
#include "toy/text/stream.h"

namespace toy {

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Text of the new tokens as it becomes certain: whole characters, nothing of a stop string.
class Output {
 public:
  Output(const LanguageModel& lm, const GenerateOptions& options, const OnToken& on_token)
      : stops_(options.stop), on_token_(&on_token) {
    if (lm.tokenizer) pieces_.emplace(*lm.tokenizer, DecodeOptions{.special = false, .continues = true});
  }

  /// True when a stop string is complete. A token that the tokenizer does not know has no text.
  bool push(std::int32_t id, bool known) {
    emit(id, known && pieces_ ? stops_.push(pieces_->push(id)) : std::string());
    return stops_.stopped();
  }
  std::string finish() {
    std::string rest;
    if (pieces_ && !stops_.stopped()) rest = stops_.push(pieces_->finish());
    if (!stops_.stopped()) rest += stops_.finish();
    if (!rest.empty()) emit(std::nullopt, rest);
    return std::move(text_);
  }
  bool stopped() const { return stops_.stopped(); }

 private:
  void emit(std::optional<std::int32_t> id, const std::string& text) {
    text_ += text;
    if (*on_token_) (*on_token_)(id, text);
  }

  std::optional<StreamingDetokenizer> pieces_;
  StopMatcher stops_;
  const OnToken* on_token_;
  std::string text_;
};

}  // namespace

std::string_view name(StopReason reason) {
  switch (reason) {
    case StopReason::length:
      return "length";
    case StopReason::eos:
      return "eos";
    case StopReason::stop:
      return "stop";
    case StopReason::interrupted:
      return "interrupted";
  }
  return "";
}

Generation generate(const LanguageModel& lm, std::span<const std::int32_t> prompt_ids, const GenerateOptions& options,
                    const std::function<void(std::string_view)>& on_text, const std::stop_token& cancel) {
  const auto text_alone = [&](std::optional<std::int32_t> /*id*/, std::string_view text) {
    if (on_text && !text.empty()) on_text(text);
  };
  return generate_tokens(lm, prompt_ids, options, text_alone, cancel);
}

Generation generate_tokens(const LanguageModel& lm, std::span<const std::int32_t> prompt_ids,
                           const GenerateOptions& options, const OnToken& on_token, const std::stop_token& cancel) {
  using clock = std::chrono::steady_clock;
  lm.check_loaded();
  Engine engine(*lm.model, *lm.device, options.engine);
  Sampler sampler(options.sampling);
  if (options.n < 0) refuse("n: expected 0 or more new tokens, found {}", options.n);
  if (prompt_ids.empty()) refuse("the prompt is empty, and this model has no token to begin a text with");
  const auto length = static_cast<std::int64_t>(prompt_ids.size());
  if (length > engine.context()) {
    refuse("the prompt has {} {}, the context {}{}; shorten it{}", length, plural(length, "token"), engine.context(),
           lm.context_key(engine.context()), engine.can_grow() ? " or give a larger context" : "");
  }
  engine.check_ids(prompt_ids);

  Generation g;
  g.prompt_ids.assign(prompt_ids.begin(), prompt_ids.end());
  Output output(lm, options, on_token);
  KVCache sequence = engine.sequence();
  const auto start = clock::now();
  Tensor logits = engine.prefill(sequence, prompt_ids, [&] { return !cancel.stop_requested(); });
  if (logits) g.prefill_tokens_per_second = static_cast<double>(length) / seconds_since(start);

  const auto decode_start = clock::now();
  const std::int64_t room = std::min(options.n, engine.context() - length);
  std::int64_t made = 0, forwards = 0;
  while (made < room) {
    if (cancel.stop_requested()) break;
    lm.check_logits(logits.values<float>(), length + made + 1);
    std::int32_t id = sampler(logits.values<float>());
    if (!options.ignore_eos && lm.tokenizer && id < lm.tokenizer->size() && lm.tokenizer->ends_generation(id)) {
      g.stop = StopReason::eos;
      break;
    }
    g.ids.push_back(id);
    const bool known = !lm.tokenizer || id < lm.tokenizer->size();  // an embedding may have spare rows
    if (output.push(id, known)) break;
    if (++made == room) break;
    KVCache* const one = &sequence;
    logits = engine.decode({&one, 1}, {&id, 1});
    ++forwards;
  }
  if (forwards > 0) g.decode_tokens_per_second = static_cast<double>(forwards) / seconds_since(decode_start);
  g.text = output.finish();
  g.context_full = made == room && room < options.n && !output.stopped();
  if (output.stopped()) {
    g.stop = StopReason::stop;
  } else if (cancel.stop_requested() && g.stop != StopReason::eos &&
             static_cast<std::int64_t>(g.ids.size()) < options.n && !g.context_full) {
    g.stop = StopReason::interrupted;
  }
  return g;
}

}  // namespace toy

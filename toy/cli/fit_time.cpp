#include "toy/cli/fit_time.h"

#include <algorithm>

#include "toy/cli/console.h"
#include "toy/cli/format.h"
#include "toy/cli/live.h"
#include "toy/cli/model_options.h"
#include "toy/cli/run_facts.h"
#include "toy/train/estimate.h"

namespace toy::cli {

namespace {

/// The first texts: enough to know the speed by.
Corpus beginning(const Corpus& corpus) {
  constexpr std::uint64_t enough = 8'000'000;  // bytes
  if (corpus.bytes() <= enough) return corpus;
  std::vector<std::string> texts;
  std::uint64_t bytes = 0;
  for (std::string_view text : corpus.documents()) {
    if (bytes >= enough) break;
    std::size_t end = std::min<std::size_t>(text.size(), enough - bytes);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;  // not inside a letter
    texts.emplace_back(text.substr(0, end));
    bytes += end;
  }
  return Corpus::texts(std::move(texts));
}

ValidationTokens validation_of(const RunConfig& config, const Tokenizer& tokenizer, const Corpus& corpus) {
  const double all = config.recipe.options.validation_share * expected_ids(tokenizer, corpus.documents());
  const auto most = static_cast<double>(config.options.eval_windows * config.recipe.model.context);
  return {std::min(all, most), static_cast<double>(config.options.eval_every), all};
}

}  // namespace

void fit_steps(double seconds, const Arguments& a, const Corpus& corpus, RunConfig& config, Console& console,
               const std::stop_token& stop) {
  constexpr double measured_seconds = 2;
  LiveLines lines(!a.has("--quiet"));
  lines.show("measuring how fast it trains here");
  TrainingOptions& options = config.recipe.options;
  FromScratch tried = config.recipe;
  tried.options.steps = tried.options.warmup + 1;
  const Corpus part = beginning(corpus);
  const auto goes_on = [&](auto&&...) { return !stop.stop_requested(); };
  const Vocabulary words = tried.make_vocabulary(part, goes_on).vocabulary;
  const auto time = time_training(tried, part, words, cpu_options(a), stop, measured_seconds);
  lines.erase();
  if (!time) fail("interrupted while the speed was measured");

  const auto step = static_cast<double>(options.batch * options.accumulate * config.recipe.model.context);
  const ValidationTokens validation = validation_of(config, Tokenizer::from_vocabulary(words), corpus);
  options.steps = steps_within(seconds, time->tokens_per_second, step, validation);
  if (options.cosine && !a.has("--warmup-steps")) options.warmup = std::max<std::int64_t>(1, options.steps / 10);
  if (options.cosine) options.steps = std::max(options.steps, options.warmup + 1);
  console.note("it trains {:.0f} tokens/s here, so that about {} are enough for --steps {}{}", time->tokens_per_second,
               duration_text(seconds), options.steps,
               options.warmup > 0 ? fmt::format(" --warmup-steps {}", options.warmup) : "");
}

}  // namespace toy::cli

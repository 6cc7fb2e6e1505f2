#include "toy/generate/language_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "toy/io/quote.h"

namespace toy {

namespace {

bool has_tokenizer(const GgufFile& file) {
  const auto kind = file.metadata().get_or<std::string>("tokenizer.ggml.model", "none");
  return kind != "none" && kind != "no_vocab";
}

/// Fails for what load_model refuses and for a vocabulary larger than the model's, before either takes memory.
void check(const GgufFile& file) {
  TraceDevice trace;
  const std::int64_t V = trace_model(file, trace)->sizes().V;
  if (!has_tokenizer(file)) return;
  const auto tokens = static_cast<std::int64_t>(file.metadata().count_strings("tokenizer.ggml.tokens"));
  if (tokens <= V) return;
  fail("{}: {}.vocab_size = {} is less than the {} tokens of tokenizer.ggml.tokens", file.path().string(),
       file.metadata().get<std::string>("general.architecture"), V, tokens);
}

}  // namespace

LanguageModel LanguageModel::open(const std::filesystem::path& path, Device& device) {
  return load(GgufFile::open(path), device);
}

LanguageModel LanguageModel::load(GgufFile file, Device& device) {
  check(file);
  std::optional<Tokenizer> tokenizer;
  if (has_tokenizer(file)) tokenizer = Tokenizer::from_metadata(file.metadata());
  auto model = load_model(file, device);
  return {&device, std::move(file), std::move(tokenizer), std::move(model)};
}

void LanguageModel::check_loaded() const {
  if (model == nullptr || device == nullptr) fail("language model: nothing is loaded");
}

const Tokenizer& LanguageModel::text() const {
  if (!tokenizer) refuse("{}: the file has no tokenizer; give token ids instead of text", file.path().string());
  return *tokenizer;
}

std::string LanguageModel::context_key(std::int64_t context) const {
  if (context != model->sizes().context) return {};
  return " (" + file.metadata().get<std::string>("general.architecture") + ".context_length)";
}

void LanguageModel::check_logits(std::span<const float> logits, std::int64_t token) const {
  // No early end, so that it runs in vectors: an infinity or a NaN has all bits of the exponent set.
  std::uint32_t all = 0;
  for (const float x : logits) {
    constexpr std::uint32_t exponent = 0x7F800000;
    all |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(x) & exponent) == exponent);
  }
  if (all == 0) return;
  const auto bad = std::ranges::find_if_not(logits, [](float x) { return std::isfinite(x); });
  fail("{}: the logits are not finite at token {}: found {} for id {}; a tensor of the file is damaged or too large",
       shown(file.path()), token, *bad, bad - logits.begin());
}

}  // namespace toy

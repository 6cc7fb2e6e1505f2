#include "toy/train/sample.h"

#include <vector>

#include "toy/generate/engine.h"
#include "toy/io/plural.h"

namespace toy {

std::string sample_text(const Model& model, Device& device, const Tokenizer& tokenizer, std::string_view prompt,
                        std::int64_t n, const SamplingOptions& sampling) {
  Engine engine(model, device, {.kv = DType::F32});
  Sampler choose(sampling);
  std::vector<std::int32_t> ids = tokenizer.encode(prompt);
  if (ids.empty() && tokenizer.bos()) ids.push_back(*tokenizer.bos());
  if (ids.empty()) return {};
  if (static_cast<std::int64_t>(ids.size()) >= engine.context()) {
    refuse("prompt: {} {} no room in the context of {}", ids.size(), plural(ids.size(), "token leaves", "tokens leave"),
           engine.context());
  }
  KVCache sequence = engine.sequence();
  Tensor logits = engine.prefill(sequence, ids);
  std::vector<std::int32_t> made;
  while (static_cast<std::int64_t>(made.size()) < n && sequence.length() < engine.context()) {
    std::int32_t id = choose(logits.values<float>());
    if (id >= tokenizer.size() || tokenizer.ends_generation(id)) break;
    made.push_back(id);
    KVCache* const one = &sequence;
    logits = engine.decode({&one, 1}, {&id, 1});
  }
  return tokenizer.decode(made, {.special = false, .continues = true});
}

}  // namespace toy

#include "toy/generate/language_model.h"

namespace toy {

LanguageModel LanguageModel::open(const std::filesystem::path& path, Device& device) {
  return load(GgufFile::open(path), device);
}

LanguageModel LanguageModel::load(GgufFile file, Device& device) {
  std::optional<Tokenizer> tokenizer;
  const std::string kind = file.metadata().get_or<std::string>("tokenizer.ggml.model", "none");
  if (kind != "none" && kind != "no_vocab") tokenizer = Tokenizer::from_metadata(file.metadata());
  auto model = load_model(file, device);
  if (tokenizer && tokenizer->size() > model->sizes().V) {
    fail("{}: {}.vocab_size = {} is less than the {} tokens of tokenizer.ggml.tokens", file.path().string(),
         file.metadata().get<std::string>("general.architecture"), model->sizes().V, tokenizer->size());
  }
  return {&device, std::move(file), std::move(tokenizer), std::move(model)};
}

const Tokenizer& LanguageModel::text() const {
  if (!tokenizer) refuse("{}: the file has no tokenizer; give token ids instead of text", file.path().string());
  return *tokenizer;
}

std::string LanguageModel::context_key(std::int64_t context) const {
  if (context != model->sizes().context) return {};
  return " (" + file.metadata().get<std::string>("general.architecture") + ".context_length)";
}

}  // namespace toy

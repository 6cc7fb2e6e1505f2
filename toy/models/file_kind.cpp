#include "toy/models/file_kind.h"

#include <algorithm>
#include <array>
#include <utility>

#include "toy/io/plural.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

/// A text of the metadata; empty if it is not there or no text.
std::string text_of(const Metadata& metadata, std::string_view key) {
  const MetaValue* const value = metadata.value(key);
  const bool readable = value != nullptr && value->type == ValueType::String && value->bytes() <= most_text_bytes;
  return readable ? metadata.get<std::string>(key) : std::string();
}

bool has_key(const GgufFile& file, std::string_view beginning) {
  return std::ranges::any_of(file.metadata().entries(),
                             [&](const Metadata::Entry& entry) { return entry.key.starts_with(beginning); });
}

bool has_tensor(const GgufFile& file, std::string_view part) {
  return std::ranges::any_of(file.tensors(),
                             [&](const TensorInfo& tensor) { return tensor.name.find(part) != std::string::npos; });
}

}  // namespace

FileKind kind_of(const GgufFile& file) {
  const std::string type = text_of(file.metadata(), "general.type");
  constexpr std::array<std::pair<std::string_view, FileKind>, 6> types{
      {{"adapter", FileKind::adapter},
       {"imatrix", FileKind::importance_matrix},
       {"mmproj", FileKind::projector},
       {"clip-vision", FileKind::projector},
       {"vocab", FileKind::vocabulary},
       {"toy-training-state", FileKind::training_state}}};
  const auto found = std::ranges::find(types, type, [](const auto& row) { return row.first; });
  if (found != types.end()) return found->second;
  if (has_key(file, "adapter.") || has_tensor(file, ".lora_a")) return FileKind::adapter;
  if (has_key(file, "imatrix.") || has_tensor(file, ".in_sum2")) return FileKind::importance_matrix;
  if (has_key(file, "clip.") || text_of(file.metadata(), "general.architecture") == "clip") return FileKind::projector;
  if (!file.tensors().empty()) return FileKind::model;
  return has_key(file, "tokenizer.ggml.") ? FileKind::vocabulary : FileKind::header;
}

std::string_view words_of(FileKind kind) {
  switch (kind) {
    case FileKind::model:
      return "";
    case FileKind::vocabulary:
      return "holds a vocabulary only and no parameters: toy tokenize takes it";
    case FileKind::header:
      return "holds no parameters, only a header";
    case FileKind::adapter:
      return "is an adapter (LoRA) for a model, not a model of its own; adapters are not supported yet";
    case FileKind::importance_matrix:
      return "is an importance matrix, made for quantizing a model, not a model";
    case FileKind::projector:
      return "is a projector, which turns images or sounds into the input of a model, not a language model";
    case FileKind::training_state:
      return "is the state of a training, not a model: the model lies in weights/ of its run";
  }
  return "";
}

void fail_in_short(const GgufFile& file, std::string_view what) {
  constexpr std::size_t most = 200, around = std::string_view("toy: : ...").size(), least = 24;
  std::string path = shown(file.path());
  const std::size_t room = std::max(least, most - std::min(most, around + what.size()));
  if (path.size() > room) path = path.substr(0, room / 2) + "..." + path.substr(path.size() - room / 2);
  fail("{}: {}", path, what);
}

const Metadata& require_model(const GgufFile& file) {
  const std::string_view words = words_of(kind_of(file));
  if (!words.empty()) fail_in_short(file, words);
  return file.metadata();
}

void require_tokenizer(const GgufFile& file) {
  if (file.metadata().contains("tokenizer.ggml.model")) return;
  const std::string_view words = words_of(kind_of(file));
  fail_in_short(file, words.empty() ? "has no tokenizer (tokenizer.ggml.model is missing)" : words);
}

void refuse_experts(const GgufFile& file, std::string_view architecture) {
  const MetaValue* const stored = file.metadata().value(std::string(architecture) + ".expert_count");
  const bool counted = stored != nullptr && stored->type != ValueType::Array && stored->type != ValueType::String;
  if (!has_tensor(file, "_exps.") && !has_tensor(file, ".ffn_gate_inp.")) return;
  const std::int64_t count =
      counted ? file.metadata().get_count(std::string(architecture) + ".expert_count", 0, 1 << 20) : 0;
  fail_in_short(file, count > 0 ? fmt::format("is a mixture of {} {}: experts are not supported yet", count,
                                              plural(count, "expert"))
                                : "is a mixture of experts, which are not supported yet");
}

}  // namespace toy

#include "toy/models/hyperparameters.h"

#include <fmt/format.h>

#include <algorithm>

#include "toy/io/plural.h"
#include "toy/models/file_kind.h"

namespace toy {

Hyperparameters::Hyperparameters(const Metadata& metadata, std::string origin)
    : metadata_(&metadata),
      origin_(std::move(origin)),
      architecture_(metadata.get<std::string>("general.architecture")) {}

Hyperparameters::Hyperparameters(const GgufFile& file) : Hyperparameters(require_model(file), file.path().string()) {
  file_ = &file;
}

const GgufFile& Hyperparameters::file() const {
  if (file_ == nullptr) fail("{}: there is no file", origin_);
  return *file_;
}

bool Hyperparameters::has(std::string_view name) {
  asked_.insert(key(name));
  return metadata_->contains(key(name));
}

std::int64_t Hyperparameters::count(std::string_view name, std::int64_t min, std::int64_t max) {
  asked_.insert(key(name));
  const std::int64_t value = metadata_->get_count(key(name), min, max);
  read_.emplace_back(key(name), value);
  return value;
}

std::int64_t Hyperparameters::count_or(std::string_view name, std::int64_t absent, std::int64_t min, std::int64_t max) {
  if (has(name)) return count(name, min, max);
  read_.emplace_back(key(name) + " (absent)", absent);
  return absent;
}

float Hyperparameters::number(std::string_view name, float min, float max) {
  asked_.insert(key(name));
  const auto value = metadata_->get<float>(key(name));
  if (!(value >= min && value <= max)) {
    fail("{}: {}: expected a number from {} to {}, found {}", origin_, key(name), min, max, value);
  }
  return value;
}

float Hyperparameters::number_or(std::string_view name, float absent, float min, float max) {
  return has(name) ? number(name, min, max) : absent;
}

std::string Hyperparameters::text_or(std::string_view name, std::string absent) {
  asked_.insert(key(name));
  return metadata_->get_or<std::string>(key(name), std::move(absent));
}

std::int64_t Hyperparameters::layers() {
  constexpr std::int64_t most = 1024;  // modules are made before the tensors are matched
  const std::int64_t layers = count("block_count", 1, most);
  const std::size_t tensors = file_ == nullptr ? most : file_->tensors().size();
  if (static_cast<std::size_t>(layers) > tensors) {
    fail("{}: {} = {} is more than the {} {} of the file", origin_, key("block_count"), layers, tensors,
         plural(tensors, "tensor"));
  }
  return layers;
}

std::int64_t Hyperparameters::vocabulary() {
  constexpr std::int64_t most = 1 << 24;
  if (has("vocab_size")) return count("vocab_size", 1, most);
  const std::uint64_t tokens = metadata_->count_strings("tokenizer.ggml.tokens");
  if (tokens > 0) return static_cast<std::int64_t>(tokens);
  const TensorInfo* embedding = file_ == nullptr ? nullptr : file_->find("token_embd.weight");
  if (embedding == nullptr) fail("{}: missing tensor token_embd.weight", origin_);
  return embedding->shape[0];
}

void Hyperparameters::must_divide(std::string_view divisor, std::int64_t d, std::string_view number,
                                  std::int64_t n) const {
  if (n % d == 0) return;
  fail("{}: {} = {} is not a multiple of {} = {}", origin_, key(number), n, key(divisor), d);
}

RopeOptions Hyperparameters::rope(std::int64_t head_width, std::int64_t context) {
  RopeOptions o;
  o.width = count_or("rope.dimension_count", head_width, 1, std::int64_t{1} << 16);
  if (o.width > head_width) {
    fail("{}: {} = {} is more than the head width {} (from {})", origin_, key("rope.dimension_count"), o.width,
         head_width, str());
  }
  if (o.width % 2 != 0) {
    fail("{}: {}: expected an even number, found {}", origin_, key("rope.dimension_count"), o.width);
  }
  o.base = static_cast<double>(number_or("rope.freq_base", 10000, 1e-3F, 1e30F));
  const std::string kind = text_or("rope.scaling.type", "linear");
  if (kind == "none") return o;
  if (kind != "linear" && kind != "yarn") {
    fail("{}: {}: expected none, linear or yarn, found '{}'", origin_, key("rope.scaling.type"), kind);
  }
  const float factor = number_or("rope.scaling.factor", number_or("rope.scale_linear", 0, 0, 1e6F), 0, 1e6F);
  if (factor > 0) o.factor = static_cast<double>(factor);
  if (kind == "linear") return o;
  Yarn yarn;
  yarn.original_context =
      static_cast<double>(count_or("rope.scaling.original_context_length", context, 1, std::int64_t{1} << 31));
  yarn.beta_fast = static_cast<double>(number_or("rope.scaling.yarn_beta_fast", 32, 1e-3F, 1e6F));
  yarn.beta_slow = static_cast<double>(number_or("rope.scaling.yarn_beta_slow", 1, 1e-3F, 1e6F));
  const float extrapolation = number_or("rope.scaling.yarn_ext_factor", -1, -1, 1e3F);
  if (extrapolation >= 0) yarn.extrapolation = static_cast<double>(extrapolation);
  yarn.attention_factor = static_cast<double>(number_or("rope.scaling.attn_factor", 1, 1e-6F, 1e6F)) *
                          static_cast<double>(number_or("rope.scaling.yarn_attn_factor", 1, 1e-6F, 1e6F));
  o.yarn = yarn;
  return o;
}

void Hyperparameters::must_equal(std::string_view a, std::int64_t a_value, std::string_view b,
                                 std::int64_t b_value) const {
  if (a_value == b_value) return;
  fail("{}: {} = {} differs from {} = {}; heads of two widths are not known", origin_, key(a), a_value, key(b),
       b_value);
}

std::vector<std::string> Hyperparameters::unread() const {
  std::vector<std::string> keys;
  for (const Metadata::Entry& entry : metadata_->entries()) {
    if (entry.key.starts_with(architecture_ + ".") && !asked_.contains(entry.key)) keys.push_back(entry.key);
  }
  return keys;
}

std::string Hyperparameters::str() const {
  std::string text;
  for (const auto& [key, value] : read_) text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", key, value);
  return text;
}

}  // namespace toy

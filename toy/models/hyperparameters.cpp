#include "toy/models/hyperparameters.h"

#include <fmt/format.h>

#include <algorithm>

#include "toy/io/plural.h"
#include "toy/models/file_kind.h"

namespace toy {

namespace {

constexpr std::size_t most_layers = 1024;  // modules are made before the tensors are matched

}  // namespace

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

template <class T>
T Hyperparameters::uniform(const std::string& key) const {
  const MetaValue* value = metadata_->value(key);
  if (value == nullptr || value->type != ValueType::Array) return metadata_->get<T>(key);
  if (value->count == 0 || value->count > most_layers) {
    fail("{}: {}: expected a number, or one for each layer, found an {}", origin_, key, value->type_name());
  }
  const auto layers = metadata_->get<NumberArray>(key);
  const T first = layers.at<T>(0);
  for (std::size_t i = 1; i < layers.size(); ++i) {
    if (const T other = layers.at<T>(i); other != first) {
      fail("{}: {}: layers with different values are not supported, found {} for layer 0 and {} for layer {}", origin_,
           key, first, other, i);
    }
  }
  return first;
}

std::int64_t Hyperparameters::count(std::string_view name, std::int64_t min, std::int64_t max) {
  asked_.insert(key(name));
  const MetaValue* stored = metadata_->value(key(name));
  const bool layers = stored != nullptr && stored->type == ValueType::Array;
  const std::int64_t value = layers ? uniform<std::int64_t>(key(name)) : metadata_->get_count(key(name), min, max);
  if (value < min || value > max) {
    fail("{}: {}: expected an integer from {} to {}, found {} for each layer", origin_, key(name), min, max, value);
  }
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
  const auto value = uniform<float>(key(name));
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
  constexpr auto most = static_cast<std::int64_t>(most_layers);
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

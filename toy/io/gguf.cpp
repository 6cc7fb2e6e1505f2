#include "toy/io/gguf.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "toy/io/plural.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

constexpr std::int64_t most_shards = 4096;

struct ShardName {
  std::filesystem::path prefix;
  int number;
  int count;
};

std::optional<int> five_digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

/// Takes "prefix-00002-of-00003.gguf" apart.
std::optional<ShardName> parse_shard_name(const std::filesystem::path& path) {
  constexpr std::size_t tail = std::string_view("-00001-of-00001.gguf").size();
  const std::string text = path.string();
  if (text.size() <= tail) return std::nullopt;
  const std::string_view end = std::string_view(text).substr(text.size() - tail);
  if (end[0] != '-' || end.substr(6, 4) != "-of-" || end.substr(15) != ".gguf") return std::nullopt;
  const auto number = five_digits(end.substr(1, 5));
  const auto count = five_digits(end.substr(10, 5));
  if (!number || !count) return std::nullopt;
  return ShardName{text.substr(0, text.size() - tail), *number, *count};
}

void refuse_later_shard(const std::filesystem::path& path, std::int64_t number) {
  const auto name = parse_shard_name(path);
  refuse("{}: is shard {} of a model: open the first, {}", shown(path), number + 1,
         name ? shown(shard_path(name->prefix, 1, name->count)) : "whose name has -00001-of-");
}

}  // namespace

std::filesystem::path shard_path(const std::filesystem::path& prefix, int number, int count) {
  return prefix.string() + fmt::format("-{:05}-of-{:05}.gguf", number, count);
}

GgufFile GgufFile::open(const Place& place, OpenOptions options) {
  options.require_data = options.require_data || options.map;
  const auto file = std::make_shared<const InputFile>(place);
  GgufHeader header = read_gguf_header(file, options.require_data);
  const std::int64_t count = header.metadata.get_count_or("split.count", 1, 1, most_shards);
  const std::int64_t number = header.metadata.get_count_or("split.no", 0, 0, count - 1);
  if (number != 0) refuse_later_shard(place.path(), number);
  GgufFile model;
  model.write_options_ = {header.version, header.tensors.empty() && file->size() > header.data_start};
  model.alignment_ = header.alignment;
  model.metadata_ = std::move(header.metadata);
  model.add_shard(*file, header, options);
  if (!options.name.empty()) model.paths_.front() = options.name;
  if (count > 1) model.open_shards(place, count, options);
  return model;
}

void GgufFile::open_shards(const Place& place, std::int64_t count, const OpenOptions& options) {
  const std::filesystem::path& first = place.path();
  const auto name = parse_shard_name(first);
  if (!name || name->number != 1 || name->count != count) {
    fail("{}: is the first of {} shards, expected a name that ends in {}", shown(first), count,
         shard_path("", 1, static_cast<int>(count)).string());
  }
  for (int i = 2; i <= count; ++i) {
    const std::filesystem::path path = shard_path(name->prefix, i, name->count);
    const auto file =
        std::make_shared<const InputFile>(place.is_below() ? place.folder() / path.filename() : Place(path));
    GgufHeader header = read_gguf_header(file, options.require_data);
    const std::int64_t found_count = header.metadata.get_count("split.count", 1, most_shards);
    const std::int64_t found_number = header.metadata.get_count("split.no", 0, most_shards);
    if (found_count != count || found_number != i - 1) {
      fail("{}: expected shard {} of {}, its metadata says {} of {}", shown(file->path()), i, count, found_number + 1,
           found_count);
    }
    add_shard(*file, header, options);
  }
  const auto found = static_cast<std::int64_t>(tensors_.size());
  const std::int64_t expected = metadata_.get_count_or("split.tensors.count", found, 0, std::int64_t{1} << 31);
  if (found != expected) {
    fail("{}: key split.tensors.count says {}, the {} shards have {} {}", shown(first), expected, count, found,
         plural(found, "tensor"));
  }
}

void GgufFile::add_shard(const InputFile& file, GgufHeader& header, const OpenOptions& options) {
  const auto shard = static_cast<int>(paths_.size());
  if (tensors_.size() + header.tensors.size() > GgufLimits::tensors) {
    fail("{}: the shards have more than {} tensors together", shown(file.path()), GgufLimits::tensors);
  }
  tensors_.reserve(tensors_.size() + header.tensors.size());
  for (TensorInfo& tensor : header.tensors) {
    tensor.shard = shard;
    if (!index_.emplace(tensor.name, tensors_.size()).second) {
      fail("{}: tensor {} is also in another shard", shown(file.path()), in_quotes(tensor.name));
    }
    tensors_.push_back(std::move(tensor));
  }
  paths_.push_back(file.path());
  file_bytes_ += file.size();
  missing_bytes_ += header.missing_bytes;
  if (options.map) maps_.push_back(std::make_shared<const MappedFile>(file));
}

const TensorInfo* GgufFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

std::span<const std::byte> GgufFile::data(const TensorInfo& tensor) const {
  const auto bytes = mapping(tensor)->bytes();
  if (tensor.offset > bytes.size() || tensor.bytes > bytes.size() - tensor.offset) {
    fail("{}: tensor {} is not of this file", shown(path()), in_quotes(tensor.name));
  }
  return bytes.subspan(tensor.offset, tensor.bytes);
}

std::shared_ptr<const MappedFile> GgufFile::mapping(const TensorInfo& tensor) const {
  const auto shard = static_cast<std::size_t>(tensor.shard);
  if (maps_.empty()) fail("{}: was opened for its header alone", shown(path()));
  if (shard >= maps_.size()) fail("{}: tensor {} is not of this file", shown(path()), in_quotes(tensor.name));
  return maps_[shard];
}

}  // namespace toy

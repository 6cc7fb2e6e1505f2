#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "toy/io/file.h"
#include "toy/io/gguf.h"
#include "toy/io/gguf_types.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

std::uint64_t align_up(std::uint64_t n, std::uint64_t alignment) { return (n + alignment - 1) / alignment * alignment; }

std::uint32_t alignment_of(const Metadata& metadata) {
  const MetaValue* value = metadata.value("general.alignment");
  if (value == nullptr) return 32;
  const auto alignment = metadata.get<std::uint32_t>("general.alignment");
  if (value->type != ValueType::U32 || !std::has_single_bit(alignment) || alignment > GgufLimits::alignment) {
    fail("key general.alignment: expected a UINT32 power of two up to {}, found {} {}", GgufLimits::alignment,
         value->type_name(), alignment);
  }
  return alignment;
}

void write_string(ByteSink& out, std::string_view text) {
  out.number<std::uint64_t>(text.size());
  out.text(text);
}

void write_value(ByteSink& out, const MetaValue& value) {
  out.number(static_cast<std::uint32_t>(value.type));
  if (value.type == ValueType::String) out.number<std::uint64_t>(value.bytes());
  if (value.type == ValueType::Array) {
    out.number(static_cast<std::uint32_t>(value.element));
    out.number<std::uint64_t>(value.count);
  }
  out.write(value.read().raw);
}

/// Bytes of a tensor's data; fails for a shape that its type cannot hold.
std::uint64_t bytes_of(const TensorSource& tensor) {
  const int block = info(tensor.dtype).block_elements;
  if (tensor.shape.width() % block != 0) {
    fail("tensor {}: rows of {} elements, expected a multiple of {} for {}", in_quotes(tensor.name),
         tensor.shape.width(), block, name(tensor.dtype));
  }
  return static_cast<std::uint64_t>(toy::bytes_of(tensor.dtype, tensor.shape.elements()));
}

void check_names(std::span<const TensorSource> tensors) {
  std::set<std::string_view> seen;
  for (const TensorSource& t : tensors) {
    if (t.name.empty() || t.name.size() > GgufLimits::name_bytes || t.name.find('\0') != t.name.npos) {
      fail("tensor name {}: expected 1 to {} bytes without NUL", in_quotes(t.name), GgufLimits::name_bytes);
    }
    if (!seen.insert(t.name).second) fail("tensor {} is there twice", in_quotes(t.name));
  }
}

void write_header(ByteSink& out, const Metadata& metadata, std::span<const TensorSource> tensors, WriteOptions options,
                  std::uint32_t alignment) {
  out.text("GGUF");
  out.number(options.version);
  out.number<std::uint64_t>(tensors.size());
  out.number<std::uint64_t>(metadata.size());
  for (const auto& [key, value] : metadata.entries()) {
    write_string(out, key);
    write_value(out, value);
  }
  std::uint64_t offset = 0;
  for (const TensorSource& t : tensors) {
    write_string(out, t.name);
    out.number(static_cast<std::uint32_t>(t.shape.rank()));
    for (int axis = t.shape.rank() - 1; axis >= 0; --axis) out.number(static_cast<std::uint64_t>(t.shape[axis]));
    out.number(gguf_id(t.dtype));
    out.number(offset);
    offset += align_up(bytes_of(t), alignment);
  }
  if (!tensors.empty() || options.pad_without_tensors) out.pad_to(alignment);
}

void write_data(ByteSink& out, const TensorSource& tensor, std::uint32_t alignment) {
  const std::uint64_t before = out.position();
  if (const auto* bytes = std::get_if<std::span<const std::byte>>(&tensor.data)) {
    out.write(*bytes);
  } else {
    std::get<std::function<void(ByteSink&)>>(tensor.data)(out);
  }
  if (out.position() - before != bytes_of(tensor)) {
    fail("tensor {}: {} of shape {} takes {} bytes, {} were written", in_quotes(tensor.name), name(tensor.dtype),
         tensor.shape.str(), bytes_of(tensor), out.position() - before);
  }
  out.pad_to(alignment);
}

}  // namespace

std::vector<TensorSource> tensor_sources(const GgufFile& file) {
  std::vector<TensorSource> sources;
  for (const TensorInfo& t : file.tensors()) sources.push_back({t.name, t.stored_shape, t.dtype, file.data(t)});
  return sources;
}

void write_gguf(const Place& place, const Metadata& metadata, std::span<const TensorSource> tensors,
                WriteOptions options, const FileCalls& calls) {
  if (options.version != 2 && options.version != 3) fail("GGUF version {}: expected 2 or 3", options.version);
  const std::uint32_t alignment = alignment_of(metadata);
  check_names(tensors);
  const auto write = [&](ByteSink& out) {
    write_header(out, metadata, tensors, options, alignment);
    for (const TensorSource& t : tensors) write_data(out, t, alignment);
  };
  write_atomically(place, write, calls);
}

std::vector<std::filesystem::path> write_gguf_shards(const std::filesystem::path& prefix, const Metadata& metadata,
                                                     std::span<const TensorSource> tensors, int shard_count) {
  if (shard_count < 1 || shard_count > std::numeric_limits<std::uint16_t>::max()) {
    refuse("{} shards: expected 1 to {}", shard_count, std::numeric_limits<std::uint16_t>::max());
  }
  check_names(tensors);
  std::vector<std::filesystem::path> paths;
  for (int i = 0; i < shard_count; ++i) {
    Metadata own = i == 0 ? metadata : Metadata();
    own.set("split.no", static_cast<std::uint16_t>(i));
    own.set("split.count", static_cast<std::uint16_t>(shard_count));
    own.set("split.tensors.count", static_cast<std::int32_t>(tensors.size()));
    const std::size_t first = tensors.size() * static_cast<std::size_t>(i) / static_cast<std::size_t>(shard_count);
    const std::size_t last = tensors.size() * static_cast<std::size_t>(i + 1) / static_cast<std::size_t>(shard_count);
    paths.push_back(shard_path(prefix, i + 1, shard_count));
    write_gguf(paths.back(), own, tensors.subspan(first, last - first));
  }
  return paths;
}

}  // namespace toy

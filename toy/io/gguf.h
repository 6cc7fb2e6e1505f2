// GGUF models: reading (versions 2 and 3, one file or shards, memory-mapped) and writing.
// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "toy/io/byte_sink.h"
#include "toy/io/file.h"
#include "toy/io/gguf_header.h"
#include "toy/io/metadata.h"

namespace toy {

struct OpenOptions {
  /// Map the tensor data. Without it only headers are read, and data() fails.
  bool map = true;
  /// Refuse a file that ends before its tensor data does. Mapping implies it.
  bool require_data = true;
  /// What messages and path() say instead of the path, for a file whose path tells nothing.
  std::string name{};
};

/// What a file can choose beyond its metadata and tensors.
struct WriteOptions {
  std::uint32_t version = 3;  // 2 or 3
  /// Pad the header to the alignment also when no tensors follow.
  bool pad_without_tensors = false;
};

/// An open model. Everything is validated against the size of the files before it is used; the maps live as long as
/// the object or a pointer from mapping().
class GgufFile {
 public:
  /// Opens a file, and the other shards of `name-00001-of-0000N.gguf`. Another shard than the first is refused.
  static GgufFile open(const Place& place, OpenOptions options = {});

  const std::filesystem::path& path() const { return paths_.front(); }
  /// The files of the model, in the order of the shards.
  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  /// Version, alignment and metadata of the first shard.
  std::uint32_t version() const { return write_options_.version; }
  std::uint32_t alignment() const { return alignment_; }
  const Metadata& metadata() const { return metadata_; }
  /// In the order of the files. A tensor may have no elements.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  /// Null when there is no such tensor.
  const TensorInfo* find(std::string_view name) const;
  /// The bytes of a tensor of this file. They begin at a multiple of alignment(), which a file may set as low as 1.
  std::span<const std::byte> data(const TensorInfo& tensor) const;
  std::shared_ptr<const MappedFile> mapping(const TensorInfo& tensor) const;
  /// Size of all shards.
  std::uint64_t file_bytes() const { return file_bytes_; }
  /// The options with which write_gguf makes the same bytes of a file with sequential offsets.
  WriteOptions write_options() const { return write_options_; }
  /// Bytes of tensor data that the files lack; 0 unless OpenOptions::require_data was off.
  std::uint64_t missing_bytes() const { return missing_bytes_; }

 private:
  GgufFile() = default;
  void open_shards(const Place& place, std::int64_t count, const OpenOptions& options);
  void add_shard(const InputFile& file, GgufHeader& header, const OpenOptions& options);

  WriteOptions write_options_;
  std::uint32_t alignment_ = 32;
  Metadata metadata_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::vector<std::filesystem::path> paths_;
  std::vector<std::shared_ptr<const MappedFile>> maps_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t missing_bytes_ = 0;
};

/// A tensor to write: its bytes, or a function that writes exactly as many as shape and dtype need.
struct TensorSource {
  std::string name;
  Shape shape;  // row-major, outermost axis first
  DType dtype = DType::F32;
  std::variant<std::span<const std::byte>, std::function<void(ByteSink&)>> data;
};

/// The tensors of an open file (which must outlive them), to be written as they are.
std::vector<TensorSource> tensor_sources(const GgufFile& file);

/// Writes a model, atomically and tensor by tensor. Honors general.alignment.
void write_gguf(const Place& place, const Metadata& metadata, std::span<const TensorSource> tensors,
                WriteOptions options = {}, const FileCalls& calls = {});

/// Writes `prefix-00001-of-0000N.gguf` and so on, the tensors in order and in shards of about equal numbers.
/// All metadata is in the first; returns the paths.
std::vector<std::filesystem::path> write_gguf_shards(const std::filesystem::path& prefix, const Metadata& metadata,
                                                     std::span<const TensorSource> tensors, int shard_count);

/// `prefix-00001-of-0000N.gguf` for number 1 and count N.
std::filesystem::path shard_path(const std::filesystem::path& prefix, int number, int count);

}  // namespace toy

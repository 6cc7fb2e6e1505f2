// safetensors files: a JSON table of tensors and their bytes. https://github.com/huggingface/safetensors
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "toy/io/file.h"
#include "toy/tensor/dtype.h"
#include "toy/tensor/shape.h"

namespace toy {

struct SafeTensor {
  std::string name;
  std::string type;            // as the file writes it: "F32", "BF16", "BOOL", ...
  std::optional<DType> dtype;  // empty for types without a DType, such as BOOL and U8
  Shape shape;                 // row-major, outermost axis first
  std::uint64_t offset = 0;    // from the start of the file
  std::uint64_t bytes = 0;
};

/// An open, mapped file. The table is validated before anything is mapped: ranges lie in the file, fit shape and type,
/// do not overlap and leave no gap.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  /// In the order of their bytes.
  const std::vector<SafeTensor>& tensors() const { return tensors_; }
  /// The texts of `__metadata__`.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// Null when there is no such tensor.
  const SafeTensor* find(std::string_view name) const;
  /// As find; fails when there is no such tensor.
  const SafeTensor& get(std::string_view name) const;
  /// The bytes of a tensor of this file; not aligned to its type.
  std::span<const std::byte> data(const SafeTensor& tensor) const;
  std::shared_ptr<const MappedFile> mapping() const { return map_; }
  /// A copy of a tensor's elements; fails unless its type is T's (F32 for float, I32 for std::int32_t, ...).
  template <class T>
  std::vector<T> values(std::string_view name) const {
    const SafeTensor& tensor = get(name);
    const auto bytes = data_as(tensor, type_name<T>());
    std::vector<T> out(bytes.size() / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }

 private:
  SafetensorsFile() = default;
  std::span<const std::byte> data_as(const SafeTensor& tensor, std::string_view type) const;
  template <class T>
  static constexpr std::string_view type_name() {
    static_assert(std::floating_point<T> || std::signed_integral<T> || std::same_as<T, std::uint8_t>);
    if (std::floating_point<T>) return sizeof(T) == 4 ? "F32" : "F64";
    if (std::same_as<T, std::uint8_t>) return "U8";
    constexpr std::string_view names[] = {"I8", "I16", "", "I32", "", "", "", "I64"};
    return names[sizeof(T) - 1];
  }

  std::filesystem::path path_;
  std::vector<SafeTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::map<std::string, std::string> metadata_;
  std::shared_ptr<const MappedFile> map_;
};

/// A tensor to write. Types: F32, F64, F16, BF16 and the integers of DType.
struct SafeTensorSource {
  std::string name;
  Shape shape;
  DType dtype = DType::F32;
  std::span<const std::byte> data;
};

/// Writes tensors in the given order, atomically.
void write_safetensors(const std::filesystem::path& path, std::span<const SafeTensorSource> tensors,
                       const std::map<std::string, std::string>& metadata = {}, const FileCalls& calls = {});

}  // namespace toy

// The JSON table at the head of a safetensors file, parsed as a stream and checked against the size of the file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "toy/io/file.h"
#include "toy/io/safetensors.h"

namespace toy {

struct SafetensorsType {
  std::string_view name;
  std::int64_t bytes;
  std::optional<DType> dtype;
};

/// Null for a name that the format does not know.
const SafetensorsType* safetensors_type(std::string_view name);
/// Null for a type that the format does not have.
const SafetensorsType* safetensors_type(DType dtype);

struct SafetensorsHeader {
  std::vector<SafeTensor> tensors;  // sorted by offset, which counts from the start of the file
  std::map<std::string, std::string> metadata;
};

SafetensorsHeader read_safetensors_header(const InputFile& file);

}  // namespace toy

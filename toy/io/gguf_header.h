// The header of one GGUF file: parsed, and validated against the size of the file before anything is built from it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "toy/io/file.h"
#include "toy/io/metadata.h"
#include "toy/tensor/dtype.h"
#include "toy/tensor/shape.h"

namespace toy {

/// One entry of a file's table of tensors.
struct TensorInfo {
  std::string name;
  /// Row-major, outermost axis first: the file's order reversed, leading axes of length 1 dropped, at least one axis.
  Shape shape{};
  DType dtype = DType::F32;
  /// First byte, counted from the start of the shard's file.
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  int shard = 0;
  /// The shape with the axes of length 1 that the file spells out (no axis at all for a scalar), for writing it again.
  Shape stored_shape{};
};

struct GgufHeader {
  std::uint32_t version = 3;
  std::uint32_t alignment = 32;
  /// First byte of tensor data; the end of the header when there are no tensors.
  std::uint64_t data_start = 0;
  /// Bytes of tensor data that the file should have and has not; 0 unless they were allowed to be missing.
  std::uint64_t missing_bytes = 0;
  Metadata metadata;
  std::vector<TensorInfo> tensors;
};

/// Bounds of what is read, beside the size of the file. Published models stay far below them.
struct GgufLimits {
  static constexpr std::uint64_t header_bytes = 64 << 20;
  static constexpr std::uint64_t value_bytes = 256;    // longer values stay in the file until they are asked for
  static constexpr std::uint64_t key_bytes = 1 << 20;  // of all keys together
  static constexpr std::uint64_t keys = 1 << 12;
  static constexpr std::uint64_t tensors = 1 << 14;
  static constexpr std::uint64_t name_bytes = 64;
  static constexpr std::uint32_t alignment = 1 << 20;
};

/// Parses the header of a file. The first pass only checks; the second builds the result, in which long values keep the
/// file open and are read when they are asked for.
/// Fails with one line that names the file, the place, what was expected and what was found.
GgufHeader read_gguf_header(const std::shared_ptr<const InputFile>& file, bool require_data = true);

}  // namespace toy

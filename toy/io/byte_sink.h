// Where writers put their bytes: a buffered file descriptor.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "toy/io/file_calls.h"

namespace toy {

static_assert(std::endian::native == std::endian::little, "files are little-endian and are copied as they are");

/// Buffers what is written to one file. Failing writes throw with the path and the system's reason.
class ByteSink {
 public:
  /// Does not own `descriptor`; `path` is for messages.
  ByteSink(int descriptor, const std::filesystem::path& path, FileCalls calls = {});
  ByteSink(const ByteSink&) = delete;
  ByteSink& operator=(const ByteSink&) = delete;

  void write(std::span<const std::byte> bytes);
  void text(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// A number as little-endian bytes.
  template <class T>
  requires std::is_arithmetic_v<T>
  void number(T value) { write(std::as_bytes(std::span(&value, 1))); }
  /// Zero bytes up to the next multiple of `alignment`.
  void pad_to(std::uint64_t alignment);
  /// Bytes written so far.
  std::uint64_t position() const { return written_ + buffer_.size(); }
  void flush();

 private:
  void write_now(std::span<const std::byte> bytes);

  int descriptor_;
  const std::filesystem::path& path_;
  FileCalls calls_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
};

}  // namespace toy

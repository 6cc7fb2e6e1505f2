// A file's header, read front to back through a window, every length checked before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "toy/io/file.h"
#include "toy/io/metadata.h"

namespace toy {

/// Reads the first `limit` bytes of a file in order. Holds at most `window` bytes of it.
class HeaderSource {
 public:
  /// limit <= file.size().
  HeaderSource(const InputFile& file, std::uint64_t limit, std::size_t window);

  std::uint64_t position() const { return position_; }
  std::uint64_t remaining() const { return limit_ - position_; }
  /// The next n <= window bytes; valid until the next call. `what` is named when they are not there.
  std::span<const std::byte> take(std::uint64_t n, std::string_view what);
  /// Goes past n bytes, of any number.
  void skip(std::uint64_t n, std::string_view what);
  template <class T>
  T number(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }
  /// Fails with the file, the position and `what` unless n bytes remain.
  void expect(std::uint64_t n, std::string_view what) const;
  std::size_t window_bytes() const { return window_.size(); }
  const std::string& where() const { return where_; }

 private:
  const InputFile& file_;
  std::string where_;
  std::uint64_t limit_;
  std::uint64_t position_ = 0;
  Bytes window_;
  std::uint64_t window_start_ = 0;
  std::uint64_t window_end_ = 0;
};

}  // namespace toy

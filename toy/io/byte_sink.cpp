#include "toy/io/byte_sink.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {
constexpr std::size_t buffer_bytes = 256 * 1024;
}

ByteSink::ByteSink(int descriptor, const std::filesystem::path& path, FileCalls calls)
    : descriptor_(descriptor), path_(path), calls_(std::move(calls)) {
  buffer_.reserve(buffer_bytes);
}

void ByteSink::write(std::span<const std::byte> bytes) {
  if (bytes.size() > buffer_bytes - buffer_.size()) flush();
  if (bytes.size() >= buffer_bytes) {
    write_now(bytes);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
}

void ByteSink::pad_to(std::uint64_t alignment) {
  static constexpr std::array<std::byte, 4096> zeros{};
  std::uint64_t missing = (alignment - position() % alignment) % alignment;
  while (missing > 0) {
    const auto n = std::min<std::uint64_t>(missing, zeros.size());
    write(std::span(zeros).first(n));
    missing -= n;
  }
}

void ByteSink::flush() {
  write_now(buffer_);
  buffer_.clear();
}

void ByteSink::write_now(std::span<const std::byte> bytes) {
  const std::size_t n = write_all(calls_, descriptor_, bytes);
  written_ += n;
  if (n < bytes.size()) fail("{}: cannot write: {}", shown(path_), std::strerror(errno));
}

}  // namespace toy

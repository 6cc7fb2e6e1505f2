#include "toy/io/header_source.h"

#include <algorithm>

#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

HeaderSource::HeaderSource(const InputFile& file, std::uint64_t limit, std::size_t window)
    : file_(file), where_(shown(file.path())), limit_(limit), window_(std::min<std::uint64_t>(window, limit)) {}

void HeaderSource::expect(std::uint64_t n, std::string_view what) const {
  if (n <= remaining()) return;
  const bool cut = limit_ < file_.size();
  fail("{}: {} at byte {} takes {} bytes, but {} of the {} remain", where_, what, position_, n, remaining(),
       cut ? "header's allowed size" : "file");
}

std::span<const std::byte> HeaderSource::take(std::uint64_t n, std::string_view what) {
  expect(n, what);
  if (n > window_.size()) fail("{}: {} at byte {} is longer than {} bytes", where_, what, position_, window_.size());
  if (position_ < window_start_ || position_ + n > window_end_) {
    const std::uint64_t fill = std::min<std::uint64_t>(window_.size(), remaining());
    file_.read_at(position_, std::span(window_).first(fill));
    window_start_ = position_;
    window_end_ = position_ + fill;
  }
  const auto bytes = std::span<const std::byte>(window_).subspan(position_ - window_start_, n);
  position_ += n;
  return bytes;
}

void HeaderSource::skip(std::uint64_t n, std::string_view what) {
  expect(n, what);
  position_ += n;
}

}  // namespace toy

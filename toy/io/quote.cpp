#include "toy/io/quote.h"

#include <fmt/format.h>

#include <iterator>

namespace toy {

std::string in_quotes(std::string_view text, std::size_t limit) {
  std::string out = "'";
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  out += text.size() > limit ? "...'" : "'";
  return out;
}

std::string shown(const std::filesystem::path& path) {
  constexpr std::size_t most = 400, kept = 100;  // bytes, at each end
  std::string text = path.string();
  if (text.size() > most) text = text.substr(0, kept) + "..." + text.substr(text.size() - kept);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace toy

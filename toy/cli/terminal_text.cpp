#include "toy/cli/terminal_text.h"

#include <fmt/format.h>

#include "toy/text/bytes.h"

namespace toy::cli {

namespace {

bool steers(char32_t c) {
  const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  const bool direction =
      c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return control || direction;
}

std::string spelled(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Head head = utf8_head(text);
    const bool valid = head.kind == Utf8Head::valid;
    const std::string_view here = text.substr(0, valid ? head.length : 1);
    text.remove_prefix(here.size());
    const bool plain = valid && (!steers(decode_utf8(here)) || kept.find(here) != std::string_view::npos);
    if (plain) {
      out += here;
    } else if (here.size() == 1) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(here[0]));
    } else {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(decode_utf8(here)));
    }
  }
  return out;
}

}  // namespace

std::string terminal_text(std::string_view text) { return spelled(text, "\n\t"); }

std::string one_line(std::string_view text) { return spelled(text, ""); }

std::string cut_text(std::string_view text, std::size_t most) {
  constexpr std::string_view dots = "...";
  if (text.size() <= most) return std::string(text);
  std::size_t end = most > dots.size() ? most - dots.size() : 0;
  while (end > 0 && continues_character(text[end])) --end;
  return std::string(text.substr(0, end)).append(dots);
}

}  // namespace toy::cli

#include "toy/text/bytes.h"

#include <algorithm>
#include <array>

namespace toy {

namespace {

std::uint8_t byte_at(std::string_view bytes, std::size_t index) { return static_cast<std::uint8_t>(bytes[index]); }

bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct ByteMap {
  std::array<char32_t, 256> to_unicode{};
  std::array<std::int16_t, 0x144> to_byte{};
};

ByteMap make_byte_map() {
  ByteMap map;
  map.to_byte.fill(-1);
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t code_point = stands_for_itself(byte) ? static_cast<char32_t>(byte) : next++;
    map.to_unicode[byte] = code_point;
    map.to_byte[code_point] = static_cast<std::int16_t>(byte);
  }
  return map;
}

const ByteMap& byte_map() {
  static const ByteMap map = make_byte_map();
  return map;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Utf8Head utf8_head(std::string_view bytes) {
  const std::uint8_t lead = byte_at(bytes, 0);
  if (lead < 0x80) return {Utf8Head::valid, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Utf8Head::invalid, 1};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

  // The second byte has a narrower range after E0 and F0 (overlong), ED (surrogates) and F4 (beyond U+10FFFF).
  std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) return {Utf8Head::incomplete, i};
    if (byte_at(bytes, i) < low || byte_at(bytes, i) > high) return {Utf8Head::invalid, 1};
    low = 0x80;
    high = 0xBF;
  }
  return {Utf8Head::valid, length};
}

std::size_t character_count(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::ranges::count_if(text, continues_character));
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Head head = utf8_head(bytes);
    const std::size_t length = head.kind == Utf8Head::valid ? head.length : 1;
    text += head.kind == Utf8Head::valid ? bytes.substr(0, length) : replacement_character;
    bytes.remove_prefix(length);
  }
  return text;
}

void append_utf8(std::string& text, char32_t c) {
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += static_cast<char>(0xC0 | (c >> 6));
    text += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    text += static_cast<char>(0xE0 | (c >> 12));
    text += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | (c >> 18));
    text += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    text += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (c & 0x3F));
  }
}

char32_t decode_utf8(std::string_view character) {
  const char32_t lead = byte_at(character, 0);
  if (lead < 0x80) return lead;
  char32_t code_point = lead < 0xE0 ? lead & 0x1F : lead < 0xF0 ? lead & 0x0F : lead & 0x07;
  for (char c : character.substr(1)) code_point = (code_point << 6) | (static_cast<std::uint8_t>(c) & 0x3F);
  return code_point;
}

char32_t byte_to_unicode(std::uint8_t byte) { return byte_map().to_unicode[byte]; }

std::optional<std::uint8_t> unicode_to_byte(char32_t code_point) {
  const ByteMap& map = byte_map();
  if (code_point >= map.to_byte.size() || map.to_byte[code_point] < 0) return std::nullopt;
  return static_cast<std::uint8_t>(map.to_byte[code_point]);
}

std::optional<std::uint8_t> parse_byte_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  const int high = hex_digit(text[3]);
  const int low = hex_digit(text[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<std::uint8_t>(high * 16 + low);
}

}  // namespace toy

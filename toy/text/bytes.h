// UTF-8, and the printable spelling of bytes that byte-level BPE vocabularies use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace toy {

/// U+FFFD, which stands for a byte that is not UTF-8.
inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

/// U+2581, which stands for a space in SentencePiece vocabularies.
inline constexpr std::string_view visible_space = "\xE2\x96\x81";

/// What stands at the start of some bytes: a character of `length` bytes; `invalid`, a byte that starts none; or
/// `incomplete`, the first bytes of a character whose rest is missing.
struct Utf8Head {
  enum Kind { valid, invalid, incomplete } kind;
  std::size_t length;
};

/// Reads the first character of `bytes` (not empty). Overlong forms, surrogates and values above U+10FFFF are invalid.
Utf8Head utf8_head(std::string_view bytes);

/// In UTF-8, a byte that is not the first of its character.
constexpr bool continues_character(char byte) { return (static_cast<std::uint8_t>(byte) & 0xC0) == 0x80; }
/// Characters of a text in UTF-8.
std::size_t character_count(std::string_view text);

/// The text with every byte that is not part of valid UTF-8 replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view bytes);

/// Appends the UTF-8 form of a code point (at most U+10FFFF).
void append_utf8(std::string& text, char32_t code_point);

/// The code point of one valid character.
char32_t decode_utf8(std::string_view character);

/// The printable character for a byte in byte-level BPE (GPT-2's bytes_to_unicode): the visible Latin-1 bytes stand for
/// themselves, the other 68, in increasing order, for U+0100 to U+0143.
char32_t byte_to_unicode(std::uint8_t byte);

/// The inverse of byte_to_unicode; nothing for a character that stands for no byte.
std::optional<std::uint8_t> unicode_to_byte(char32_t code_point);

/// The byte named by a token text of the form `<0xXX>` (exactly two hexadecimal digits); nothing for any other text.
std::optional<std::uint8_t> parse_byte_token(std::string_view text);

}  // namespace toy

#include "toy/text/character_stream.h"

#include <algorithm>
#include <limits>

#include "toy/tensor/error.h"
#include "toy/text/bytes.h"

namespace toy {

namespace {

constexpr char32_t code_points = 0x110000;
constexpr char32_t visible_space_point = 0x2581;

/// Calls use(code point, bytes) for each character and, with code_points, for each byte that is not UTF-8. SPM cannot
/// tell U+2581 from a space, so that is what it becomes.
template <class Use>
void for_each_character(std::string_view text, Use&& use) {
  while (!text.empty()) {
    const Utf8Head head = static_cast<unsigned char>(text[0]) < 0x80 ? Utf8Head{Utf8Head::valid, 1} : utf8_head(text);
    const bool valid = head.kind == Utf8Head::valid;
    const std::size_t length = valid ? head.length : 1;
    const char32_t point = valid ? decode_utf8(text.substr(0, length)) : code_points;
    use(point == visible_space_point ? U' ' : point, length);
    text.remove_prefix(length);
  }
}

}  // namespace

CharacterStream read_characters(std::span<const std::string_view> texts, std::uint64_t min_count) {
  CharacterStream stream;
  std::vector<std::uint64_t> counts(code_points + 1);
  for (std::string_view text : texts) {
    for_each_character(text, [&](char32_t point, std::size_t length) {
      ++counts[point];
      if (point == code_points && !stream.first_invalid) stream.first_invalid = stream.bytes;
      stream.bytes += length;
    });
  }
  stream.invalid_bytes = counts[code_points];

  std::uint64_t symbols = 1 + texts.size();
  for (const std::uint64_t count : counts) symbols += count;
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max() - 1;
  if (symbols > most) refuse("a corpus of {} characters: expected at most {}; leave out a part", symbols, most);

  std::vector<std::int32_t> symbol_of(code_points + 1, CharacterStream::barrier);
  for (char32_t point = 0; point < code_points; ++point) {
    if (counts[point] == 0 || counts[point] < min_count) continue;
    std::string& text = stream.characters.emplace_back();
    append_utf8(text, point == U' ' ? visible_space_point : point);
    symbol_of[point] = static_cast<std::int32_t>(stream.characters.size());
  }

  stream.symbols.reserve(symbols);
  stream.symbols.push_back(CharacterStream::barrier);
  for (std::string_view text : texts) {
    for_each_character(text, [&](char32_t point, std::size_t length) {
      stream.symbols.push_back(symbol_of[point]);
      if (symbol_of[point] == CharacterStream::barrier) stream.byte_tokens += length;
    });
    stream.symbols.push_back(CharacterStream::barrier);
  }
  return stream;
}

}  // namespace toy

#include "toy/text/character_stream.h"

#include <limits>
#include <utility>

#include "toy/tensor/error.h"
#include "toy/text/bytes.h"

namespace toy {

namespace {

constexpr char32_t visible_space_point = 0x2581;

/// Calls use(code point, bytes) for each character, and with nothing for each byte that is not UTF-8. SPM cannot tell
/// U+2581 from a space, so that is what it becomes.
template <class Use>
void for_each_character(std::string_view text, Use&& use) {
  while (!text.empty()) {
    const Utf8Head head = static_cast<unsigned char>(text[0]) < 0x80 ? Utf8Head{Utf8Head::valid, 1} : utf8_head(text);
    if (head.kind == Utf8Head::valid) {
      const char32_t point = decode_utf8(text.substr(0, head.length));
      use(std::optional(point == visible_space_point ? U' ' : point), head.length);
      text.remove_prefix(head.length);
    } else {
      use(std::optional<char32_t>(), std::size_t{1});
      text.remove_prefix(1);
    }
  }
}

/// How often each code point stands in the texts; as long as the highest needs. Notes what is not UTF-8.
std::vector<std::uint64_t> count_characters(std::span<const std::string_view> texts, CharacterStream& stream) {
  std::vector<std::uint64_t> counts;
  for (std::string_view text : texts) {
    for_each_character(text, [&](std::optional<char32_t> point, std::size_t length) {
      if (point) {
        if (*point >= counts.size()) counts.resize(*point + 1);
        ++counts[*point];
      } else {
        if (!stream.first_invalid) stream.first_invalid = stream.bytes;
        ++stream.invalid_bytes;
      }
      stream.bytes += length;
    });
  }
  return counts;
}

}  // namespace

CharacterStream read_alphabet(std::span<const std::string_view> texts, std::uint64_t min_count) {
  CharacterStream stream;
  const std::vector<std::uint64_t> counts = count_characters(texts, stream);
  stream.byte_tokens = stream.barriers = stream.invalid_bytes;
  for (char32_t point = 0; point < counts.size(); ++point) {
    if (counts[point] == 0) continue;
    std::string text;
    append_utf8(text, point == U' ' ? visible_space_point : point);
    // The space is a token of every vocabulary.
    if (counts[point] >= min_count || point == U' ') {
      stream.characters.push_back(std::move(text));
      stream.character_tokens += counts[point];
    } else {
      stream.byte_tokens += text.size() * counts[point];
      stream.barriers += counts[point];
    }
  }
  return stream;
}

CharacterStream read_characters(std::span<const std::string_view> texts, std::uint64_t min_count) {
  CharacterStream stream = read_alphabet(texts, min_count);
  const std::uint64_t symbols = 1 + texts.size() + stream.character_tokens + stream.barriers;
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max() - 1;
  if (symbols > most) refuse("a corpus of {} characters: expected at most {}; leave out a part", symbols, most);

  std::vector<std::int32_t> symbol_of;
  for (std::size_t i = 0; i < stream.characters.size(); ++i) {
    char32_t point = decode_utf8(stream.characters[i]);
    if (point == visible_space_point) point = U' ';
    if (point >= symbol_of.size()) symbol_of.resize(point + 1, CharacterStream::barrier);
    symbol_of[point] = static_cast<std::int32_t>(i) + 1;
  }
  stream.symbols.reserve(symbols);
  stream.symbols.push_back(CharacterStream::barrier);
  for (std::string_view text : texts) {
    for_each_character(text, [&](std::optional<char32_t> point, std::size_t) {
      stream.symbols.push_back(point && *point < symbol_of.size() ? symbol_of[*point] : CharacterStream::barrier);
    });
    stream.symbols.push_back(CharacterStream::barrier);
  }
  return stream;
}

}  // namespace toy

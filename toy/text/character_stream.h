// A corpus as a stream of numbered characters.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace toy {

/// Texts, each between two barriers.
struct CharacterStream {
  /// Stands where no piece reaches across: at the ends of texts, and for what is left to the byte tokens.
  static constexpr std::int32_t barrier = 0;

  std::vector<std::string> characters;  ///< by code point, spelled as SPM does; symbol i + 1 is characters[i]
  std::vector<std::int32_t> symbols;    ///< begins and ends with a barrier
  std::uint64_t bytes = 0;              ///< of all texts
  std::uint64_t character_tokens = 0;   ///< characters in the texts that have a symbol
  std::uint64_t byte_tokens = 0;        ///< bytes that are left to the byte tokens, the invalid ones too
  std::uint64_t barriers = 0;           ///< characters and invalid bytes that are left to them
  std::uint64_t invalid_bytes = 0;
  std::optional<std::uint64_t> first_invalid;
};

/// Reads texts; characters but the space that stand in them fewer than `min_count` times, and bytes that are not UTF-8,
/// are barriers. Throws Error if there are more than 2^31 - 2 symbols.
CharacterStream read_characters(std::span<const std::string_view> texts, std::uint64_t min_count);

/// The same without the symbols, in little memory and for any number of them.
CharacterStream read_alphabet(std::span<const std::string_view> texts, std::uint64_t min_count);

}  // namespace toy

// From the spelling of a piece to its number and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "toy/text/string_table.h"
#include "toy/text/vocabulary.h"

namespace toy {

/// Whether plain text may become a token of this type. Control, unknown and byte tokens come from elsewhere: the
/// caller, parsed special tokens, what no piece spells.
constexpr bool is_plain(TokenType type) {
  return type != TokenType::control && type != TokenType::unknown && type != TokenType::byte;
}

/// Numbered strings with a hash index (open addressing). The first `tokens()` pieces are the tokens of a vocabulary and
/// their number is the token id; further ones are intermediate results of merges that are no tokens themselves.
class PieceTable {
 public:
  /// types: one per token, or empty (all normal).
  explicit PieceTable(StringTable tokens = {}, const std::vector<TokenType>& types = {});

  /// The number of the first piece with this spelling that plain text may become, or else of the first one.
  std::optional<std::int32_t> find(std::string_view text) const {
    const std::int32_t piece = slots_[locate(text, hash(text))].piece;
    if (piece < 0) return std::nullopt;
    return piece;
  }

  /// As find, tokens only.
  std::optional<std::int32_t> find_token(std::string_view text) const {
    const auto piece = find(text);
    return piece && is_token(*piece) ? piece : std::nullopt;
  }

  /// As find_token, where plain text may become it.
  std::optional<std::int32_t> find_plain(std::string_view text) const {
    const auto piece = find(text);
    return piece && is_plain_token(*piece) ? piece : std::nullopt;
  }

  /// The number of the piece with this spelling, which is added if it is new.
  std::int32_t intern(std::string_view text);

  std::string_view operator[](std::int32_t piece) const { return texts_[static_cast<std::size_t>(piece)]; }
  std::int32_t size() const { return static_cast<std::int32_t>(texts_.size()); }
  std::int32_t tokens() const { return tokens_; }
  bool is_token(std::int32_t piece) const { return piece < tokens_; }
  bool is_plain_token(std::int32_t piece) const { return is_token(piece) && plain_[static_cast<std::size_t>(piece)]; }

  /// Plain text becomes this token no more.
  void make_special(std::int32_t token) { plain_[static_cast<std::size_t>(token)] = false; }

  /// Whether no two tokens have one spelling.
  bool unique() const { return unique_; }
  /// How many tokens repeat the spelling of an earlier one of their kind (plain, or not); text never becomes those.
  std::int32_t duplicates() const { return duplicates_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t piece = -1;
  };

  static std::uint32_t hash(std::string_view text);
  std::size_t locate(std::string_view text, std::uint32_t hash) const;
  bool index(std::int32_t piece, std::uint32_t hash);
  void rehash(std::size_t slots);

  StringTable texts_;
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  std::int32_t tokens_ = 0;
  std::vector<bool> plain_;  // by token
  std::int32_t duplicates_ = 0;
  bool unique_ = true;
};

}  // namespace toy

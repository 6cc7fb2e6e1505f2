// Special tokens are cut out of a text before the rest is tokenized.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "toy/text/piece_table.h"
#include "toy/text/vocabulary.h"

namespace toy {

/// A stretch of a text: ordinary text (`token` < 0), or the spelling of one token.
struct Fragment {
  std::string_view text;
  std::int32_t token = -1;
};

/// Finds the spellings of control, unknown and user-defined tokens. Longer ones come first wherever they stand, and
/// the leftmost among those of one length. A control token wins over any other of the same spelling.
class SpecialTokens {
 public:
  SpecialTokens() = default;
  SpecialTokens(const PieceTable& pieces, const std::vector<TokenType>& types, std::vector<std::string>& notes);

  /// The fragments of the text in order, none of them empty. Without `parse_special` only user-defined tokens are cut.
  std::vector<Fragment> partition(std::string_view text, bool parse_special) const;

 private:
  struct Entry {
    std::string text;
    std::int32_t special;       // the first control or unknown token of this spelling; -1: none
    std::int32_t user_defined;  // or user-defined token, unless plain text becomes another one
    std::int32_t token(bool parse_special) const { return parse_special && special >= 0 ? special : user_defined; }
  };

  template <class Visit>
  void visit_matches(std::string_view text, bool parse_special, Visit&& visit) const;
  std::vector<std::size_t> lengths_present(std::string_view text, bool parse_special) const;
  void cut(const Fragment& fragment, std::size_t length, bool parse_special, std::vector<Fragment>& out) const;

  std::vector<Entry> entries_;                   // sorted by text
  std::array<std::uint32_t, 257> first_byte_{};  // how many entries begin with a byte below the index
};

}  // namespace toy

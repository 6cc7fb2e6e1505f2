// SentencePiece byte-pair encoding, the tokenizer of Llama 1 and 2, Mistral 7B and Gemma.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "toy/text/encoder.h"
#include "toy/text/piece_table.h"
#include "toy/text/vocabulary.h"

namespace toy {

/// Spells spaces as U+2581, starts from single characters and joins, again and again, the adjacent pair whose
/// concatenation is the token of highest score (the leftmost among equals). Control, unknown and byte tokens are never
/// found that way, and unused ones are taken apart again where they remain. Characters that are no token become the
/// byte tokens `<0xXX>`. Kudo and Richardson, arXiv:1808.06226, as the library SentencePiece does it.
class SpmEncoder final : public Encoder {
 public:
  SpmEncoder(const Vocabulary& vocabulary, std::shared_ptr<const PieceTable> pieces, std::vector<std::string>& notes);

  void encode(std::string_view text, std::vector<std::int32_t>& ids,
              const std::function<void()>& between) const override;

 private:
  void encode_word(std::string_view word, std::vector<std::int32_t>& ids) const;
  /// Unused tokens of a word that a pair could be joined into, and the length of the pair's left part.
  using Splits = std::unordered_map<std::int32_t, std::int32_t>;
  void append_text(std::string_view text, const Splits& splits, std::vector<std::int32_t>& ids) const;
  std::size_t word_length(std::string_view text) const;

  std::shared_ptr<const PieceTable> pieces_;
  std::vector<float> scores_;
  std::vector<bool> unused_;  // by token
  bool add_space_prefix_;
  std::size_t longest_token_ = 0;
  std::array<std::int32_t, 256> byte_tokens_{};
  std::bitset<65536> joins_;  // by the last byte of one character and the head of the next
};

}  // namespace toy

// Byte-level byte-pair encoding, the tokenizer of GPT-2 and most models since.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "toy/text/encoder.h"
#include "toy/text/merge_table.h"
#include "toy/text/piece_table.h"
#include "toy/text/pretokenize.h"
#include "toy/text/vocabulary.h"

namespace toy {

/// Splits text into words (PreTokenizer), spells each word in bytes and merges, again and again, the adjacent pair of
/// lowest rank (the leftmost among equals) until none of the merges applies. Sennrich et al., arXiv:1508.07909.
class BpeEncoder final : public Encoder {
 public:
  /// Reads `vocabulary.merges`; the pieces they name are added to `pieces`. Faults are appended to `notes`.
  BpeEncoder(const Vocabulary& vocabulary, const std::shared_ptr<PieceTable>& pieces, PreTokenizer pre_tokenizer,
             std::vector<std::string>& notes);

  void encode(std::string_view text, std::vector<std::int32_t>& ids,
              const std::function<void()>& between) const override;

 private:
  void encode_word(std::string_view word, std::vector<std::int32_t>& ids) const;
  void append_piece(std::int32_t piece, std::vector<std::int32_t>& ids) const;

  std::shared_ptr<const PieceTable> pieces_;
  PreTokenizer pre_tokenizer_;
  MergeTable merges_;
  std::array<std::int32_t, 256> byte_pieces_{};
};

}  // namespace toy

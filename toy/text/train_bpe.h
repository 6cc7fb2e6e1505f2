// Vocabularies made from a corpus: its characters, and pieces learned by byte-pair encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "toy/text/vocabulary.h"

namespace toy {

/// Why there are no more merges.
enum class TrainingEnd : std::uint8_t {
  complete,       ///< as many as asked for
  no_pairs_left,  ///< no pair is frequent enough any more
  cancelled       ///< the callback said so
};

struct BpeProgress {
  std::int32_t merges;   ///< made so far
  std::int32_t wanted;   ///< asked for
  std::uint64_t tokens;  ///< length of the corpus in tokens now
};

struct BpeOptions {
  std::int32_t merges = 500;              ///< how many pieces to add to the characters
  std::uint32_t min_pair_count = 2;       ///< pairs that are rarer are never merged; at least 1
  std::uint64_t min_character_count = 1;  ///< rarer characters are left to the byte tokens (spaces are not)
  /// Called before every merge and every reading of the corpus; false ends the training with what there is.
  std::function<bool(const BpeProgress&)> progress;
  /// Places of pairs that may be listed at a time, 4 bytes each; 0: a quarter of the characters, at least 2^18. Changes
  /// time and memory only.
  std::size_t listed_places = 0;
  /// Different pairs that are counted in one reading of the corpus, at most what the memory of the lists holds; 0:
  /// that. Changes time only.
  std::size_t counted_pairs = 0;
};

struct TrainedVocabulary {
  Vocabulary vocabulary;
  std::int32_t merges = 0;  ///< made
  TrainingEnd end = TrainingEnd::complete;
  std::uint64_t bytes = 0;                     ///< of the corpus
  std::uint64_t tokens = 0;                    ///< of the corpus, encoded by `vocabulary`
  std::uint64_t invalid_bytes = 0;             ///< bytes that are no UTF-8
  std::optional<std::uint64_t> first_invalid;  ///< where the first of those stands, counted over all texts
};

/// Learns pieces from texts as they are: a text is a stream of characters, not of words, so pieces may hold spaces and
/// line ends. Sennrich et al., arXiv:1508.07909, without their words.
///
/// Starts from single characters and again and again picks the most frequent pair of neighbours, makes a piece of what
/// the pair spells, and joins it everywhere from left to right.
/// - Every two neighbours count: `aaa` counts the pair `aa` twice.
/// - Of equally frequent pairs the one with the shortest spelling is picked, then the bytewise smallest. (A space is
///   spelled U+2581, three bytes.)
/// - No pair reaches across the end of a text, a byte that is not UTF-8, or a character (but the space) rarer than
///   `min_character_count`.
/// - A pair is passed over for good if its piece, alone or with one other, would spell `<s>` or another token that is
///   not text: no text may become such a token.
///
/// Applying the merges in their order to any text is what the encoder of SentencePiece (SpmEncoder) does with their
/// spellings, so the tokenizer needs no list of pairs.
///
/// The vocabulary is that of byte_vocabulary (`<unk>`, `<s>`, `</s>`, 256 bytes, the space among them), then the other
/// characters by code point, with score 0, then the pieces in the order they were made, with scores -1, -2, ... Spaces
/// are spelled U+2581; U+2581 itself in a text is taken, and decoded, as a space. All other text decodes to its bytes.
///
/// An empty corpus gives the byte vocabulary. Throws Error for more than 2^31 - 2 characters and options out of range.
/// bpe_bytes foresees the memory; merges cost time in proportion to what they join, or to the corpus where that is a
/// large part of it.
TrainedVocabulary train_bpe(std::span<const std::string_view> texts, const BpeOptions& options = {});
TrainedVocabulary train_bpe(std::string_view text, const BpeOptions& options = {});

/// Bytes that train_bpe takes beside the texts: 5.2 to 5.3 for each character (at least 1.3 million), and 112 for each
/// different character and each piece, of which there is at most one for two characters. Pieces that spell hundreds of
/// characters, as those of texts of one character alone, take more.
std::uint64_t bpe_bytes(std::span<const std::string_view> texts, std::int64_t merges);

/// The characters of the texts and nothing longer: train_bpe without merges.
TrainedVocabulary character_vocabulary(std::span<const std::string_view> texts, std::uint64_t min_character_count = 1);
TrainedVocabulary character_vocabulary(std::string_view text, std::uint64_t min_character_count = 1);

}  // namespace toy

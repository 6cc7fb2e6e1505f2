// Text to token ids and back, as a model file says.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "toy/text/encoder.h"
#include "toy/text/piece_table.h"
#include "toy/text/special.h"
#include "toy/text/vocabulary.h"

namespace toy {

struct EncodeOptions {
  bool add_special = true;     ///< BOS before and EOS after the text, as the model wants them
  bool parse_special = false;  ///< spellings of control tokens in the text become those tokens; otherwise none does
};

struct DecodeOptions {
  bool special = false;    ///< control tokens as their spelling instead of nothing
  bool continues = false;  ///< the text continues another: keep the space that SPM puts before the first word
};

/// A tokenizer. Immutable; safe to use from several threads.
class Tokenizer {
 public:
  /// Throws Error for a model other than "llama" and "gpt2", and for a vocabulary without tokens.
  static Tokenizer from_vocabulary(Vocabulary vocabulary);
  /// from_vocabulary(read_vocabulary(metadata)).
  static Tokenizer from_metadata(const Metadata& metadata);

  /// The ids of any bytes. Bytes that are not UTF-8 become U+FFFD (BPE) or byte tokens (SPM). At most 2 GiB.
  std::vector<std::int32_t> encode(std::string_view text, EncodeOptions options = {}) const;
  /// The same, some thousands at a time and in order: a long text takes little memory, unless it is one word.
  using TakeIds = std::function<void(std::span<const std::int32_t>)>;
  void encode(std::string_view text, EncodeOptions options, const TakeIds& take) const;

  /// The text of the ids, always valid UTF-8: the pieces are joined, then bytes that are not UTF-8 become U+FFFD.
  /// StreamingDetokenizer gives the same text bit by bit.
  std::string decode(std::span<const std::int32_t> ids, DecodeOptions options = {}) const;

  /// The bytes that a token stands for: possibly part of a character, and nothing for control and unused tokens unless
  /// `special`. Ids outside the vocabulary throw Error, here and in decode, token and type.
  std::string piece(std::int32_t id, bool special = false) const;
  /// The spelling in the vocabulary, any bytes. Valid as long as the tokenizer.
  std::string_view token(std::int32_t id) const;
  TokenType type(std::int32_t id) const;
  /// The id of a spelling.
  std::optional<std::int32_t> find(std::string_view spelling) const { return pieces_->find_token(spelling); }

  std::int32_t size() const { return pieces_->tokens(); }
  std::optional<std::int32_t> bos() const { return vocabulary_.bos; }
  std::optional<std::int32_t> eos() const { return vocabulary_.eos; }
  bool adds_bos() const { return adds_bos_; }
  bool adds_eos() const { return adds_eos_; }
  /// Whether decoding a whole text drops the space before its first word (SPM with space prefix).
  bool drops_first_space() const { return drops_first_space_; }
  /// End of text, of turn or of message: the token after which a model has nothing more to say.
  bool ends_generation(std::int32_t id) const;

  /// "llama" or "gpt2".
  const std::string& model() const { return vocabulary_.model; }
  /// Name of the pre-tokenizer in use; empty for SPM.
  const std::string& pre() const { return pre_; }
  const std::string& chat_template() const { return vocabulary_.chat_template; }
  /// How many tokens are of this type.
  std::size_t count(TokenType type) const { return counts_[static_cast<std::size_t>(type)]; }
  /// What was repaired, ignored or replaced by a default, one line each; the program shows them.
  const std::vector<std::string>& notes() const { return vocabulary_.notes; }

 private:
  explicit Tokenizer(Vocabulary vocabulary);
  /// Sets pre_, with a note where it is not what the vocabulary says, and returns it.
  const std::string& choose_pre();
  void choose_special_ids();
  void find_generation_ends(PieceTable& pieces);

  Vocabulary vocabulary_;  // its tokens and merges are moved into pieces_ and encoder_
  std::shared_ptr<const PieceTable> pieces_;
  std::shared_ptr<const Encoder> encoder_;
  SpecialTokens special_;
  std::string pre_;
  std::vector<std::int32_t> generation_ends_;  // sorted
  std::array<std::size_t, 7> counts_{};
  bool adds_bos_ = false;
  bool adds_eos_ = false;
  bool drops_first_space_ = false;
};

}  // namespace toy

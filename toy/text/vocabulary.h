// The tokenizer part of a model file, as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "toy/text/string_table.h"

namespace toy {

class Metadata;

/// The numbers of `tokenizer.ggml.token_type`.
enum class TokenType : std::int8_t {
  undefined = 0,
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

/// The metadata keys `tokenizer.*` of a GGUF file.
struct Vocabulary {
  std::string model;               ///< "llama" (SPM) or "gpt2" (byte-level BPE)
  std::optional<std::string> pre;  ///< name of the pre-tokenizer (byte-level BPE only)
  StringTable tokens;              ///< the spelling of each token; the id is the index
  std::vector<float> scores;       ///< empty or one per token
  std::vector<TokenType> types;    ///< empty (all normal) or one per token
  StringTable merges;              ///< "left right"; the rank is the index
  std::optional<std::int32_t> bos, eos, unk, pad, eot, eom;
  std::vector<std::int32_t> fim_ends;  ///< the fill-in-the-middle tokens that end a text: pad, repository, separator
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  std::string chat_template;
  std::vector<std::string> notes;  ///< what was ignored or repaired while reading
};

/// Reads and checks the keys `tokenizer.*`. Small faults are repaired and noted (ids out of range, lists of another
/// length); throws Error for what no tokenizer can be made of: no tokens, or a value of the wrong type.
Vocabulary read_vocabulary(const Metadata& metadata);

/// Makes any values safe to use, with a note for each repair: lists get the length of `tokens`, empty tokens a name,
/// ids out of range are dropped. Throws Error without tokens.
void repair(Vocabulary& vocabulary);

/// Writes the keys that read_vocabulary reads.
void write_vocabulary(const Vocabulary& vocabulary, Metadata& metadata);

/// A vocabulary for any text without training: `<unk>`, `<s>`, `</s>` and the 256 bytes (SPM, no space prefix).
/// The space is spelled U+2581 instead of `<0x20>`: other runtimes would make three tokens of it.
Vocabulary byte_vocabulary();

}  // namespace toy

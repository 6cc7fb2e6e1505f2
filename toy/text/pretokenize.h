// How byte-level BPE cuts text into words before it merges.
#pragma once

#include <string_view>
#include <vector>

#include "toy/text/regex.h"

namespace toy {

/// A named list of regular expressions, applied one after another: each cuts the fragments that the previous one left
/// into its matches and the gaps between them.
class PreTokenizer {
 public:
  /// By the name in `tokenizer.ggml.pre`; for a name that is not known the list of "default". See `known`.
  explicit PreTokenizer(std::string_view name);

  /// Whether this name has a list of its own.
  static bool known(std::string_view name);
  /// Every known name, in the order of the table.
  static std::vector<std::string_view> names();

  /// The words of valid UTF-8, in order; joined they are the text.
  std::vector<std::string_view> split(std::string_view text) const;

  /// The first place from `from` on at which every pre-tokenizer begins a word, whatever else the text says: a space
  /// between two letters, or a letter or digit behind a line end that no white space precedes. Letters of ASCII and
  /// Cyrillic ones; behind line ends also Han. The end of the text where there is none.
  static std::size_t word_break(std::string_view text, std::size_t from);

  /// A word that is a token as a whole is not merged (Llama 3, Mistral's Tekken).
  bool ignore_merges() const { return ignore_merges_; }
  /// Whether texts begin with BOS when the file does not say.
  bool add_bos() const { return add_bos_; }

 private:
  std::vector<Regex> patterns_;
  bool ignore_merges_ = false;
  bool add_bos_ = false;
};

}  // namespace toy

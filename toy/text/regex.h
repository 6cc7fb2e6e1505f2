// A regular expression over UTF-8, as pre-tokenizers use it: to cut text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace toy {

/// A compiled PCRE2 pattern with Unicode properties. `\s` and `\S` mean Unicode White_Space, as in the tokenizers'
/// own engines, not PCRE2's set. Immutable: copies share the program, and threads may share it.
class Regex {
 public:
  /// Throws Error if the pattern does not compile.
  explicit Regex(std::string_view pattern);
  /// Version of the PCRE2 that is linked, "10.42".
  static std::string engine_version();

  /// Cuts each fragment (valid UTF-8) at the matches: the matches and the gaps between them, in order. Each fragment is
  /// searched on its own, so `$` and look-ahead see its end.
  std::vector<std::string_view> split(const std::vector<std::string_view>& fragments) const;

 private:
  struct Program;
  std::shared_ptr<const Program> program_;
};

}  // namespace toy

// The texts a model is trained on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "toy/io/file.h"

namespace toy {

/// Documents, in memory-mapped files or in memory.
class Corpus {
 public:
  /// Every file that a pattern names (see files_named), in the order of the patterns, each once, however it is spelled.
  /// A file is one document, or several with `separator` between them (empty: none); a byte order mark at its beginning
  /// is no part of the text.
  /// Errors: as files_named; a file that is not text (has NUL bytes; names the place); no text at all.
  static Corpus files(std::span<const std::string> patterns, std::string_view separator = {});
  /// Texts as they are.
  static Corpus texts(std::vector<std::string> documents);
  /// Stories by toy's own grammar, about `bytes` of them (see stories.h).
  static Corpus stories(std::uint64_t seed, std::uint64_t bytes = 6'000'000);

  std::span<const std::string_view> documents() const { return documents_; }
  std::uint64_t bytes() const;
  /// "3 files", "built-in stories".
  const std::string& description() const { return description_; }
  /// What was noticed, one line each: bytes that are no UTF-8, byte order marks, what a pattern had to leave out, a
  /// separator that is nowhere.
  const std::vector<std::string>& notes() const { return notes_; }
  const std::vector<std::filesystem::path>& paths() const { return paths_; }

 private:
  /// True: the separator is in it.
  bool add_file(const std::filesystem::path& path, std::string_view separator);

  std::vector<std::shared_ptr<const MappedFile>> maps_;
  std::shared_ptr<const std::vector<std::string>> owned_;
  std::vector<std::string_view> documents_;
  std::string description_;
  std::vector<std::string> notes_;
  std::vector<std::filesystem::path> paths_;
};

}  // namespace toy

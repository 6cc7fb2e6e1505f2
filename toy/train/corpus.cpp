#include "toy/train/corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <glob.h>

#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/text/bytes.h"
#include "toy/train/stories.h"

namespace toy {

namespace {

std::vector<std::filesystem::path> matches(const std::string& pattern) {
  glob_t found{};
  const int result = ::glob(pattern.c_str(), GLOB_TILDE | GLOB_BRACE, nullptr, &found);
  std::vector<std::filesystem::path> paths;
  for (std::size_t i = 0; result == 0 && i < found.gl_pathc; ++i) {
    if (!std::filesystem::is_directory(found.gl_pathv[i])) paths.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  if (paths.empty()) refuse("corpus: {} matches no file", in_quotes(pattern));
  return paths;
}

/// The first byte that is part of no character, if there is one.
std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Head head = utf8_head(text.substr(i));
    if (head.kind != Utf8Head::valid) return i;
    i += head.length;
  }
  return std::nullopt;
}

std::vector<std::string_view> parts_of(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  while (!separator.empty()) {
    const auto end = text.find(separator);
    if (end == std::string_view::npos) break;
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + separator.size());
  }
  parts.push_back(text);
  std::erase_if(parts, [](std::string_view part) { return part.empty(); });
  return parts;
}

}  // namespace

Corpus Corpus::files(std::span<const std::string> patterns, std::string_view separator) {
  Corpus corpus;
  for (const std::string& pattern : patterns) {
    for (const auto& path : matches(pattern)) {
      if (std::ranges::find(corpus.paths_, path) != corpus.paths_.end()) continue;
      corpus.paths_.push_back(path);
      if (std::filesystem::is_regular_file(path) && std::filesystem::file_size(path) == 0) continue;
      corpus.maps_.push_back(map_file(path));
      const auto bytes = corpus.maps_.back()->bytes();
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        refuse("corpus: {} is not a text: byte {} is 0", shown(path), nul);
      }
      if (const auto bad = first_invalid_utf8(text)) {
        corpus.notes_.push_back(
            fmt::format("{}: byte {} is not UTF-8; such bytes are learned as they are", shown(path), *bad));
      }
      for (const std::string_view part : parts_of(text, separator)) corpus.documents_.push_back(part);
    }
  }
  if (corpus.documents_.empty()) refuse("corpus: no text in {} file(s)", corpus.paths_.size());
  corpus.description_ =
      corpus.paths_.size() == 1 ? shown(corpus.paths_.front()) : fmt::format("{} files", corpus.paths_.size());
  return corpus;
}

Corpus Corpus::texts(std::vector<std::string> documents) {
  Corpus corpus;
  corpus.owned_ = std::make_shared<const std::vector<std::string>>(std::move(documents));
  for (const std::string& text : *corpus.owned_) {
    if (!text.empty()) corpus.documents_.emplace_back(text);
  }
  if (corpus.documents_.empty()) refuse("corpus: no text");
  corpus.description_ = fmt::format("{} texts", corpus.documents_.size());
  return corpus;
}

Corpus Corpus::stories(std::uint64_t seed, std::uint64_t bytes) {
  std::vector<std::string> all;
  std::uint64_t written = 0;
  while (written < bytes) {
    all.push_back(story(seed, all.size()));
    written += all.back().size();
  }
  Corpus corpus = texts(std::move(all));
  corpus.description_ = fmt::format("{} built-in stories", corpus.documents_.size());
  return corpus;
}

std::uint64_t Corpus::bytes() const {
  std::uint64_t sum = 0;
  for (const std::string_view document : documents_) sum += document.size();
  return sum;
}

}  // namespace toy

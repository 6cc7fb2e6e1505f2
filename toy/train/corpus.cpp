#include "toy/train/corpus.h"

#include <fmt/format.h>

#include <set>
#include <system_error>

#include "toy/io/plural.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/text/bytes.h"
#include "toy/train/corpus_files.h"
#include "toy/train/stories.h"

namespace toy {

namespace {

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

bool Corpus::add_file(const std::filesystem::path& path, std::string_view separator) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  paths_.push_back(path);
  std::error_code unknown;
  const std::filesystem::file_type type = std::filesystem::status(path, unknown).type();
  const bool there = type != std::filesystem::file_type::none && type != std::filesystem::file_type::not_found;
  if (there && type != std::filesystem::file_type::regular) refuse("corpus: {} is not a regular file", shown(path));
  if (there && std::filesystem::file_size(path, unknown) == 0) return false;
  maps_.push_back(map_file(path));
  const auto bytes = maps_.back()->bytes();
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    refuse("corpus: {} is not a text: byte {} is 0", shown(path), nul);
  }
  if (const auto bad = first_invalid_utf8(text)) {
    notes_.push_back(fmt::format("{}: byte {} is not UTF-8; such bytes are learned as they are", shown(path), *bad));
  }
  if (text.starts_with(byte_order_mark)) {
    text.remove_prefix(byte_order_mark.size());
    notes_.push_back(fmt::format("{}: begins with a byte order mark, which is left out", shown(path)));
  }
  for (const std::string_view part : parts_of(text, separator)) documents_.push_back(part);
  return !separator.empty() && text.find(separator) != std::string_view::npos;
}

Corpus Corpus::files(std::span<const std::string> patterns, std::string_view separator) {
  Corpus corpus;
  std::set<std::filesystem::path> seen;  // without links, "." and ".."
  bool separated = separator.empty();
  for (const std::string& pattern : patterns) {
    const NamedFiles named = files_named(pattern);
    for (const std::string& problem : named.left_out) corpus.notes_.push_back(problem + "; left out");
    for (const auto& path : named.paths) {
      std::error_code unknown;
      const auto plain = std::filesystem::canonical(path, unknown);
      if (seen.insert(unknown ? path : plain).second) separated = corpus.add_file(path, separator) || separated;
    }
  }
  const std::size_t count = corpus.paths_.size();
  if (corpus.documents_.empty()) refuse("corpus: no text in {} {}", count, plural(count, "file"));
  if (!separated) {
    corpus.notes_.push_back(
        fmt::format("the separator {} is nowhere in the corpus: each file is one document", in_quotes(separator)));
  }
  corpus.description_ = count == 1 ? shown(corpus.paths_.front()) : fmt::format("{} files", count);
  return corpus;
}

Corpus Corpus::texts(std::vector<std::string> documents) {
  Corpus corpus;
  corpus.owned_ = std::make_shared<const std::vector<std::string>>(std::move(documents));
  for (const std::string& text : *corpus.owned_) {
    if (!text.empty()) corpus.documents_.emplace_back(text);
  }
  if (corpus.documents_.empty()) refuse("corpus: no text");
  const std::size_t count = corpus.documents_.size();
  corpus.description_ = fmt::format("{} {}", count, plural(count, "text"));
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
  const std::size_t count = corpus.documents_.size();
  corpus.description_ = fmt::format("{} built-in {}", count, plural(count, "story", "stories"));
  return corpus;
}

std::uint64_t Corpus::bytes() const {
  std::uint64_t sum = 0;
  for (const std::string_view document : documents_) sum += document.size();
  return sum;
}

}  // namespace toy

// Words repeat: remembers their ids.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace toy {

/// Lives for one encode call: `encode_word(word, ids)` is called for words not seen lately, the ids of others are
/// copied. Takes a few megabytes at most.
class WordCache {
 public:
  template <class EncodeWord>
  void append(std::string_view word, std::vector<std::int32_t>& ids, EncodeWord&& encode_word) {
    if (word.size() > longest_word) return encode_word(word, ids);
    if (const auto entry = seen_.find(word); entry != seen_.end()) {
      const auto [begin, end] = entry->second;
      ids.insert(ids.end(), ids_.begin() + begin, ids_.begin() + end);
      return;
    }
    if (seen_.size() == most_words || ids_.size() > most_ids) {
      seen_.clear();
      ids_.clear();
    }
    const auto at = static_cast<std::ptrdiff_t>(ids.size()), begin = static_cast<std::ptrdiff_t>(ids_.size());
    encode_word(word, ids);
    ids_.insert(ids_.end(), ids.begin() + at, ids.end());
    seen_.emplace(word, std::pair(begin, static_cast<std::ptrdiff_t>(ids_.size())));
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view word) const { return std::hash<std::string_view>{}(word); }
  };
  static constexpr std::size_t longest_word = 64, most_words = 1 << 15, most_ids = 1 << 18;
  std::unordered_map<std::string, std::pair<std::ptrdiff_t, std::ptrdiff_t>, Hash, std::equal_to<>> seen_;
  std::vector<std::int32_t> ids_;  // of which each word has a range
};

}  // namespace toy

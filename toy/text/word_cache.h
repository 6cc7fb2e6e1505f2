// Words repeat: remembers their ids.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace toy {

/// Lives for one encode call: `encode_word(word, ids)` is called for words not seen before, the ids of others are
/// copied. The words are views of a text that outlives the cache.
class WordCache {
 public:
  template <class EncodeWord>
  void append(std::string_view word, std::vector<std::int32_t>& ids, EncodeWord&& encode_word) {
    if (word.size() > longest_word) return encode_word(word, ids);
    const auto [entry, is_new] = seen_.try_emplace(word);
    auto& [begin, end] = entry->second;
    if (is_new) {
      const std::size_t at = ids.size();
      encode_word(word, ids);
      begin = ids_.size();
      ids_.insert(ids_.end(), ids.begin() + static_cast<std::ptrdiff_t>(at), ids.end());
      end = ids_.size();
    } else {
      const auto first = ids_.begin();
      ids.insert(ids.end(), first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(end));
    }
  }

 private:
  static constexpr std::size_t longest_word = 64;
  std::unordered_map<std::string_view, std::pair<std::size_t, std::size_t>> seen_;  // a range of ids_
  std::vector<std::int32_t> ids_;
};

}  // namespace toy

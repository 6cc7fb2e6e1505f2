// Words repeat: remembers where the ids of a word stand already.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace toy {

/// Lives for one encode call: `encode_word(word, ids)` is called for words not seen before, the ids of others are
/// copied from their first occurrence. The words are views of a text that outlives the cache.
class WordCache {
 public:
  template <class EncodeWord>
  void append(std::string_view word, std::vector<std::int32_t>& ids, EncodeWord&& encode_word) {
    if (word.size() > longest_word) return encode_word(word, ids);
    const auto [entry, is_new] = seen_.try_emplace(word, ids.size(), ids.size());
    auto& [begin, end] = entry->second;
    if (is_new) {
      encode_word(word, ids);
      end = ids.size();
    } else {
      for (std::size_t i = begin; i < end; ++i) ids.push_back(ids[i]);
    }
  }

 private:
  static constexpr std::size_t longest_word = 64;
  std::unordered_map<std::string_view, std::pair<std::size_t, std::size_t>> seen_;
};

}  // namespace toy

// What the two tokenizer models have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace toy {

/// Turns ordinary text (no special tokens in it) into token ids. Never throws on any text.
class Encoder {
 public:
  virtual ~Encoder() = default;

  /// Appends the ids of `text`, which stands at the start or behind a special token. `between` is called after each
  /// word and may take what is in `ids`.
  virtual void encode(std::string_view text, std::vector<std::int32_t>& ids,
                      const std::function<void()>& between) const = 0;
};

}  // namespace toy

// Token ids to text while they arrive.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "toy/text/tokenizer.h"

namespace toy {

/// Gives the text of one id after another and never half a character: bytes that may begin a character wait for the
/// rest of it. What it returns, joined, is Tokenizer::decode of all ids.
class StreamingDetokenizer {
 public:
  /// The tokenizer must outlive it.
  explicit StreamingDetokenizer(const Tokenizer& tokenizer, DecodeOptions options = {});

  /// The text that is complete with this id, possibly empty.
  std::string push(std::int32_t id);
  /// The end of the text: what waits can no longer become a character.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool special_;
  bool drop_space_;
  std::string waiting_;
};

/// Ends a text before the first stop string in it. Text that may be the beginning of one is held back. The result
/// depends on the text alone, not on how it was cut: the stop string that is complete first counts.
class StopMatcher {
 public:
  /// Empty stop strings are ignored.
  explicit StopMatcher(std::vector<std::string> stops);

  /// The text that is certain now. Once `stopped`, nothing more comes.
  std::string push(std::string_view text);
  /// The end of the text: what was held back.
  std::string finish();

  bool stopped() const { return stopped_; }
  /// The stop string found; empty if none was.
  const std::string& stop() const { return stop_; }

 private:
  std::string take_character(std::string_view character);

  std::vector<std::string> stops_;
  std::string held_;  // the longest end of the text that a stop string begins with
  std::string stop_;
  bool stopped_ = false;
};

}  // namespace toy

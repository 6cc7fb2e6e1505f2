#include "toy/text/stream.h"

#include <algorithm>
#include <utility>

#include "toy/text/bytes.h"

namespace toy {

StreamingDetokenizer::StreamingDetokenizer(const Tokenizer& tokenizer, DecodeOptions options)
    : tokenizer_(&tokenizer),
      special_(options.special),
      drop_space_(tokenizer.drops_first_space() && !options.continues) {}

std::string StreamingDetokenizer::push(std::int32_t id) {
  const std::string piece = tokenizer_->piece(id, special_);
  std::string_view bytes = piece;
  if (drop_space_ && !bytes.empty()) {
    if (bytes[0] == ' ') bytes.remove_prefix(1);
    drop_space_ = false;
  }
  waiting_ += bytes;

  std::string text;
  std::string_view rest = waiting_;
  while (!rest.empty()) {
    const Utf8Head head = utf8_head(rest);
    if (head.kind == Utf8Head::incomplete) break;
    text += head.kind == Utf8Head::valid ? rest.substr(0, head.length) : replacement_character;
    rest.remove_prefix(head.length);
  }
  waiting_ = std::string(rest);
  return text;
}

std::string StreamingDetokenizer::finish() { return replace_invalid_utf8(std::exchange(waiting_, {})); }

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase(stops_, std::string());
  // Texts are valid UTF-8; so a stop string that is too begins and ends between characters.
  for (std::string& stop : stops_) stop = replace_invalid_utf8(stop);
}

std::string StopMatcher::push(std::string_view text) {
  std::string out;
  while (!text.empty() && !stopped_) {
    const std::size_t length = utf8_head(text).length;
    out += take_character(text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

std::string StopMatcher::take_character(std::string_view character) {
  held_ += character;
  std::size_t matched = 0;
  for (const std::string& stop : stops_) {
    if (stop.size() > matched && held_.ends_with(stop)) {
      matched = stop.size();
      stop_ = stop;
    }
  }
  std::size_t certain = held_.size() - matched;
  if (matched > 0) {
    stopped_ = true;
  } else {
    const auto may_stop = [this](std::string_view end) {
      return std::ranges::any_of(stops_, [end](const std::string& stop) { return stop.starts_with(end); });
    };
    certain = 0;
    while (certain < held_.size() && !may_stop(std::string_view(held_).substr(certain))) {
      certain += utf8_head(std::string_view(held_).substr(certain)).length;
    }
  }
  std::string out = held_.substr(0, certain);
  held_.erase(0, stopped_ ? held_.size() : certain);
  return out;
}

std::string StopMatcher::finish() { return std::exchange(held_, {}); }

}  // namespace toy

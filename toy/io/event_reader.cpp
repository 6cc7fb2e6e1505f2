#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "toy/io/events.h"
#include "toy/io/file.h"

namespace toy {

namespace {

constexpr std::size_t longest_line = std::size_t{16} << 20;
constexpr int deepest = 32;

std::optional<Event> parse(std::string_view line) {
  bool too_deep = false;
  const auto shallow = [&](int depth, Event::parse_event_t /*event*/, Event& /*value*/) {
    too_deep = too_deep || depth > deepest;
    return !too_deep;
  };
  // Event keeps its keys in a map: a line of a million keys takes no quadratic time.
  Event event = Event::parse(line, shallow, false);
  if (too_deep || !event.is_object()) return std::nullopt;
  const auto kind = event.find("kind");
  if (kind == event.end() || !kind->is_string()) return std::nullopt;
  return event;
}

/// Puts lines together from blocks of a file.
class Lines {
 public:
  explicit Lines(const std::function<void(Event&&, std::uint64_t)>& visit) : visit_(visit) {}

  void add(std::string_view block) {
    while (!block.empty()) {
      const std::size_t end = std::min(block.find('\n'), block.size());
      extend(block.substr(0, end));
      read_ += end;
      if (end == block.size()) return;
      ++read_;
      finish_line();
      seen.whole_bytes = read_;
      block.remove_prefix(end + 1);
    }
  }

  /// A last line without its end may still be whole.
  void end() {
    if (!line_.empty() || too_long_) finish_line();
  }

  EventLines seen;

 private:
  void extend(std::string_view part) {
    too_long_ = too_long_ || part.size() > longest_line - line_.size();
    if (too_long_) {
      line_.clear();
    } else {
      line_ += part;
    }
  }

  void finish_line() {
    ++number_;
    std::string_view line = line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::optional<Event> event = too_long_ ? std::nullopt : parse(line);
    line_.clear();
    too_long_ = false;
    if (!event) {
      ++seen.skipped_lines;
    } else if (is_known_kind(event->at("kind").get_ref<const std::string&>())) {
      visit_(std::move(*event), number_);
    }
  }

  const std::function<void(Event&&, std::uint64_t)>& visit_;
  std::string line_;
  bool too_long_ = false;
  std::uint64_t number_ = 0, read_ = 0;
};

}  // namespace

EventLines for_each_event(const Place& place, const std::function<void(Event&&, std::uint64_t)>& visit,
                          std::uint64_t limit) {
  const InputFile file(place, Empty::allowed);
  Lines lines(visit);
  std::array<char, 64 * 1024> block{};
  const std::uint64_t size = std::min(file.size(), limit);
  for (std::uint64_t offset = 0; offset < size;) {
    const auto part = std::span(block).first(std::min<std::uint64_t>(block.size(), size - offset));
    file.read_at(offset, std::as_writable_bytes(part));
    lines.add({part.data(), part.size()});
    offset += part.size();
  }
  lines.end();
  return lines.seen;
}

ReadEvents read_events(const Place& place) {
  ReadEvents read;
  const EventLines lines =
      for_each_event(place, [&](Event&& event, std::uint64_t /*line*/) { read.events.push_back(std::move(event)); });
  read.skipped_lines = lines.skipped_lines;
  read.whole_bytes = lines.whole_bytes;
  return read;
}

}  // namespace toy

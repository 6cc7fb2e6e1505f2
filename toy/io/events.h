// The log of a run: one event per line, JSON, schema toy/v1 (docs/events.md).
#pragma once

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "toy/io/file_calls.h"
#include "toy/io/folder.h"

namespace toy {

/// A line that was read: an object with a `kind`.
using Event = nlohmann::json;

/// Appends events to a log. Lines wait in memory until 64 KiB or a second's worth are there.
class EventWriter {
 public:
  /// Opens or makes the log and cuts it after `keep` bytes, which must be whole lines; time goes on from the last of
  /// them. Errors: another process writes this log, it is no regular file, a link, or has a second name (a hard link);
  /// it is shorter than `keep`, `keep` is inside a line. A log that was made here is gone after an error.
  explicit EventWriter(const Place& place, std::uint64_t keep = 0, FileCalls calls = {});
  /// The same, but `keep` is asked when nobody else can write the log any more.
  EventWriter(const Place& place, const std::function<std::uint64_t()>& keep, FileCalls calls = {});
  /// Writes out what waits; an error is lost, so flush before.
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  /// Adds a line. `kind` comes first, then `t`, the seconds since the run began, which this sets; numbers that are not
  /// finite become null. `run_start` and `run_end` are written out at once. Errors as flush.
  void write(nlohmann::ordered_json event);
  /// Writes out the lines that wait. After an error the log ends with a whole line, the lines that did not get there
  /// wait still, and flush may be called again. Errors: the disk; the log was removed meanwhile.
  void flush();
  /// Flushes and waits until the log is on the disk.
  void sync();
  /// Bytes of the log, with those that wait.
  std::uint64_t length() const { return on_disk_ + waiting_.size(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  using Clock = std::chrono::steady_clock;

  void lock();
  void require_named() const;
  void cut_to(std::uint64_t bytes);
  [[noreturn]] void fail_with(const char* what, int reason) const;

  std::filesystem::path path_;
  Folder folder_;  // with the log
  FileCalls calls_;
  int descriptor_ = -1;
  std::string waiting_;
  std::uint64_t on_disk_ = 0;  // whole lines
  bool torn_ = false;          // a part of a line may stand behind them
  double seconds_ = 0;         // t of the last event
  double seconds_before_ = 0;  // t when this writer began
  Clock::time_point began_ = Clock::now();
  Clock::time_point flushed_ = began_;
};

/// True while an EventWriter of any process has this log open.
bool is_being_written(const Place& place);

/// What for_each_event saw.
struct EventLines {
  std::uint64_t skipped_lines = 0;  // longer than 16 MiB, no JSON, nested deeper than 32, or without a `kind`
  std::uint64_t whole_bytes = 0;    // up to the end of the last line that has one
};

/// Gives every event of a known kind to `visit`, in order, with the number of its line (from 1); holds one line at a
/// time. Reads only the first `limit` bytes. Lines that cannot be read are skipped, unknown kinds are passed over.
/// Errors: the file cannot be read.
EventLines for_each_event(const Place& place, const std::function<void(Event&&, std::uint64_t)>& visit,
                          std::uint64_t limit = ~std::uint64_t{0});

struct ReadEvents {
  std::vector<Event> events;
  std::uint64_t skipped_lines = 0;
  std::uint64_t whole_bytes = 0;
};
/// All of for_each_event at once.
ReadEvents read_events(const Place& place);

/// True for the kinds of toy/v1.
bool is_known_kind(std::string_view kind);
/// What is wrong with an event by toy/v1: keys that are missing or of another type. Empty: nothing.
std::vector<std::string> validate_event(const Event& event);
/// What is wrong with a log: its events, their order, lines that cannot be read. At most 100, each with its line.
std::vector<std::string> validate_log(const Place& place);

}  // namespace toy

// A few lines at the bottom of the terminal that change while something runs.
#pragma once

#include <chrono>
#include <string>

namespace toy::cli {

/// Lines on stderr that the next ones replace; nothing unless stderr is a terminal.
class LiveLines {
 public:
  /// on: wanted at all.
  explicit LiveLines(bool on);
  ~LiveLines() { erase(); }
  LiveLines(const LiveLines&) = delete;
  LiveLines& operator=(const LiveLines&) = delete;

  bool on() const { return on_; }
  /// True when the last change is old enough (a tenth of a second).
  bool due() const { return on_ && Clock::now() - shown_ > std::chrono::milliseconds(100); }
  /// Shows these lines (without a newline at the end) in place of the ones before.
  void show(const std::string& lines);
  /// Takes them away, so that something else can be written.
  void erase();

 private:
  using Clock = std::chrono::steady_clock;

  bool on_;
  int height_ = 0;
  Clock::time_point shown_{};
};

}  // namespace toy::cli

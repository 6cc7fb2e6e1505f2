#include "toy/cli/live.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace toy::cli {

LiveLines::LiveLines(bool on) : on_(on && ::isatty(STDERR_FILENO) == 1) {}

int LiveLines::columns() {
  winsize size{};
  constexpr int usual = 80;
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual;
}

void LiveLines::erase() {
  if (height_ == 0) return;
  std::string text = "\r\x1b[K";
  for (int line = 1; line < height_; ++line) text += "\x1b[A\x1b[K";
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  height_ = 0;
}

void LiveLines::show(const std::string& lines) {
  if (!on_) return;
  erase();
  std::fputs(lines.c_str(), stderr);
  std::fflush(stderr);
  height_ = 1 + static_cast<int>(std::ranges::count(lines, '\n'));
  shown_ = Clock::now();
}

std::string duration_text(double seconds) {
  if (!(seconds < 1e9)) return "?";
  if (seconds < 10) return fmt::format("{:.1f}s", seconds);
  const auto s = static_cast<std::int64_t>(seconds);
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}h{:02}m", s / 3600, s % 3600 / 60);
}

}  // namespace toy::cli

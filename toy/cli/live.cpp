#include "toy/cli/live.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <unistd.h>

namespace toy::cli {

LiveLines::LiveLines(bool on) : on_(on && ::isatty(STDERR_FILENO) == 1) {}

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

}  // namespace toy::cli

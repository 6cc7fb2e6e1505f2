#include "toy/cli/live.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <unistd.h>

#include "toy/cli/plot.h"
#include "toy/text/bytes.h"

namespace toy::cli {

namespace {

/// Lines cut where the terminal would wrap them; every character takes one column.
std::string cut_lines(std::string_view lines, int width) {
  std::string cut;
  int column = 0;
  for (const char c : lines) {
    if (c == '\n') {
      column = 0;
    } else if (!continues_character(c)) {
      ++column;
    }
    if (column <= width) cut += c;
  }
  return cut;
}

}  // namespace

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
  std::fputs(cut_lines(lines, terminal_width() - 1).c_str(), stderr);
  std::fflush(stderr);
  height_ = 1 + static_cast<int>(std::ranges::count(lines, '\n'));
  shown_ = Clock::now();
}

}  // namespace toy::cli

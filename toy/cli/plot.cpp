#include "toy/cli/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vector>

namespace toy::cli {

namespace {

/// A grid of dots that becomes lines of characters.
class Grid {
 public:
  Grid(int columns, int lines, PlotStyle style)
      : style_(style), columns_(columns), cells_(static_cast<std::size_t>(columns) * lines) {}

  int dots_across() const { return columns_ * (style_ == PlotStyle::braille ? 2 : 1); }
  int dots_down() const { return static_cast<int>(cells_.size()) / columns_ * down(); }

  void set(int x, int y) {
    // Unicode numbers the dots of a braille pattern down the left column, then down the right, the last row later.
    constexpr std::array<std::array<std::uint8_t, 2>, 4> bits = {
        {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};
    const int across = style_ == PlotStyle::braille ? 2 : 1;
    const int cell = y / down() * columns_ + x / across;
    cells_[static_cast<std::size_t>(cell)] |= bits[y % down()][x % across];
  }

  std::string line(int number) const {
    std::string text;
    for (int x = 0; x < columns_; ++x) {
      const int place = number * columns_ + x;
      const std::uint8_t cell = cells_[static_cast<std::size_t>(place)];
      if (cell == 0) {
        text += ' ';
      } else if (style_ == PlotStyle::plain) {
        text += '*';
      } else {  // U+2800 + cell in UTF-8
        text += {'\xE2', static_cast<char>(0xA0 | cell >> 6), static_cast<char>(0x80 | (cell & 0x3F))};
      }
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  }

 private:
  int down() const { return style_ == PlotStyle::braille ? 4 : 1; }

  PlotStyle style_;
  int columns_;
  std::vector<std::uint8_t> cells_;
};

struct Point {
  int x = 0;
  double y = 0;
};

/// The means of the finite values of each column that has some.
std::vector<Point> means(std::span<const double> y, int columns) {
  std::vector<Point> points;
  int n = 0;
  const auto last = static_cast<double>(std::max<std::size_t>(y.size() - 1, 1));
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!std::isfinite(y[i])) continue;
    const int x = static_cast<int>(std::lround(static_cast<double>(i) / last * (columns - 1)));
    if (points.empty() || points.back().x != x) {
      points.push_back({x, 0});
      n = 0;
    }
    ++n;
    points.back().y += (y[i] - points.back().y) / n;
  }
  return points;
}

/// Dots from one point to the next; neighbours touch at least at a corner.
void draw(Grid& grid, Point from, Point to, double top, double per_dot) {
  const auto row = [&](double y) {
    const double down = per_dot > 0 ? (top - y) / per_dot : 0;
    return std::clamp(static_cast<int>(std::lround(down)), 0, grid.dots_down() - 1);
  };
  int before = row(from.y);
  for (int x = from.x; x <= to.x; ++x) {
    const double share = to.x == from.x ? 0 : static_cast<double>(x - from.x) / (to.x - from.x);
    const int now = row(from.y + share * (to.y - from.y));
    const int next = before + (now > before ? 1 : now < before ? -1 : 0);
    for (int y = std::min(next, now); y <= std::max(next, now); ++y) grid.set(x, y);
    before = now;
  }
}

}  // namespace

PlotStyle plot_style() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* const value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    std::string locale(value);
    std::ranges::transform(locale, locale.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
    return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos ? PlotStyle::braille
                                                                                                 : PlotStyle::plain;
  }
  return PlotStyle::plain;
}

int terminal_width() {
  constexpr int fewest = 20, most = 1000;
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
      return std::clamp<int>(size.ws_col, fewest, most);
  }
  const char* const given = std::getenv("COLUMNS");
  int columns = 0;
  const std::string_view text = given == nullptr ? "" : given;
  std::from_chars(text.data(), text.data() + text.size(), columns);
  return columns > 0 ? std::clamp(columns, fewest, most) : 80;
}

std::string plot(std::span<const double> y, int width, int height, PlotStyle style) {
  double top = -std::numeric_limits<double>::infinity(), bottom = -top;
  height = std::max(height, 1);
  const auto points_for = [&](int columns) { return means(y, columns * (style == PlotStyle::braille ? 2 : 1)); };
  for (const Point& p : points_for(std::max(width, 1))) {
    top = std::max(top, p.y);
    bottom = std::min(bottom, p.y);
  }
  if (!(top >= bottom)) return "";
  const std::string high = fmt::format("{:.3f}", top), low = fmt::format("{:.3f}", bottom);
  const std::size_t label = std::max(high.size(), low.size());

  Grid grid(std::max(width - static_cast<int>(label) - 1, 1), height, style);
  const auto points = means(y, grid.dots_across());
  const double per_dot = (top - bottom) / std::max(grid.dots_down() - 1, 1);
  for (std::size_t i = 0; i < points.size(); ++i)
    draw(grid, points[i], points[std::min(i + 1, points.size() - 1)], top, per_dot);

  std::string text;
  for (int i = 0; i < height; ++i) {
    const std::string& beside = i == 0 ? high : i == height - 1 ? low : std::string();
    const std::string line = fmt::format("{:>{}} {}", beside, label, grid.line(i));
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace toy::cli

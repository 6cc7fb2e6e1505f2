#include "toy/cli/plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/cli/process.h"

namespace toy::testing {
namespace {

using cli::plot;
using cli::PlotStyle;

TEST(Plot, plain_draws_a_falling_line) {
  const std::vector<double> y{3, 2, 1};
  EXPECT_EQ(plot(y, 9, 3, PlotStyle::plain),
            "3.000 *\n"
            "       *\n"
            "1.000   *\n");
}

// The dots of U+2800: 1 2 3 7 down the left, 4 5 6 8 down the right.
TEST(Plot, braille_has_eight_dots_a_character) {
  const std::vector<double> y{3, 2, 1, 0};
  EXPECT_EQ(plot(y, 8, 1, PlotStyle::braille), "3.000 \xE2\xA0\x91\xE2\xA2\x84\n");
}

TEST(Plot, a_jump_has_no_gap) {
  const std::vector<double> y{0, 0, 4, 4};
  const std::string text = plot(y, 10, 5, PlotStyle::plain);
  EXPECT_EQ(lines(text), 5);
  EXPECT_EQ(std::ranges::count(text, '\n'), 5);
  EXPECT_EQ(text,
            "4.000   **\n"
            "        *\n"
            "        *\n"
            "        *\n"
            "0.000 **\n");
}

TEST(Plot, many_values_share_a_column_as_their_mean) {
  std::vector<double> y(1000, 1.0);
  for (std::size_t i = 0; i < y.size(); i += 2) y[i] = 3;
  const std::string text = plot(y, 30, 1, PlotStyle::plain);
  EXPECT_EQ(text.substr(0, 3), "2.0") << text;
}

TEST(Plot, leaves_out_what_is_not_finite) {
  EXPECT_EQ(plot({}, 40, 5, PlotStyle::plain), "");
  EXPECT_EQ(plot(std::vector<double>{NAN, INFINITY}, 40, 5, PlotStyle::plain), "");
  EXPECT_EQ(plot(std::vector<double>{NAN, 2, NAN, 1}, 10, 2, PlotStyle::plain),
            "2.000  *\n"
            "1.000   **\n");
}

TEST(Plot, fits_any_size) {
  std::vector<double> y(300);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = std::sin(static_cast<double>(i) * 0.1) * 1e3;
  for (const PlotStyle style : {PlotStyle::plain, PlotStyle::braille}) {
    for (int width = -1; width < 60; ++width) {
      for (int height = -1; height < 6; ++height) {
        const std::string text = plot(y, width, height, style);
        EXPECT_EQ(lines(text), std::max(height, 1));
      }
    }
  }
  EXPECT_EQ(lines(plot(std::vector<double>{1, 1, 1}, 40, 3, PlotStyle::braille)), 3);
  EXPECT_EQ(lines(plot(std::vector<double>{7}, 40, 3, PlotStyle::braille)), 3);
}

}  // namespace
}  // namespace toy::testing

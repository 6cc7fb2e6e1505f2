// A curve in characters.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace toy::cli {

/// Braille has 2 x 4 dots a character; plain is ASCII with one.
enum class PlotStyle : std::uint8_t { braille, plain };
/// Braille where the locale's characters are UTF-8.
PlotStyle plot_style();

/// Columns of the terminal that stdout or stderr is, else of COLUMNS, else 80.
int terminal_width();

/// y over its index, from left to right, in `height` lines of at most `width` columns, the largest and the smallest
/// value before the first and the last. Several values of one column are averaged, values that are not finite left out.
/// Empty if none is finite.
std::string plot(std::span<const double> y, int width, int height, PlotStyle style = plot_style());

}  // namespace toy::cli

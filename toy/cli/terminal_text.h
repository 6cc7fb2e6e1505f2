// Texts of others, made fit to be shown: what would steer a terminal is spelled, what is too long is cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace toy::cli {

/// What a terminal gets in place of the text: control characters (C0 but newline and tab, DEL, C1), the marks that turn
/// the direction of writing, and bytes that are not UTF-8 are spelled as \xNN or \uNNNN.
/// https://www.unicode.org/reports/tr9/ (Explicit Directional Formatting Characters)
std::string terminal_text(std::string_view text);

/// The same on one line: newline and tab are spelled too.
std::string one_line(std::string_view text);

/// At most `most` bytes of a text, ending in "..." where it was cut; no character is cut in two.
std::string cut_text(std::string_view text, std::size_t most);

}  // namespace toy::cli

// Numbers and texts for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace toy::cli {

/// 134515008 -> "135M"; three digits.
std::string short_count(std::int64_t count);
/// 134515008 -> "134,515,008"
std::string long_count(std::int64_t count);
/// 1536 -> "1.5 KiB"
std::string bytes_text(std::int64_t bytes);
/// The text in quotes on one line: \n, \t, \" and \\ escaped, the rest as one_line.
std::string escaped(std::string_view text);

/// Rows of cells as lines with aligned columns. Columns whose letter in `align` is 'r' end at the right. A cell has at
/// most 120 bytes, one of the last column 1000: longer ones are cut.
std::string table(std::vector<std::vector<std::string>> rows, std::string_view align);

/// A word as a shell takes it.
std::string shell_word(const std::string& word);

}  // namespace toy::cli

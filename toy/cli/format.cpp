#include "toy/cli/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "toy/cli/terminal_text.h"
#include "toy/text/bytes.h"

namespace toy::cli {

std::string short_count(std::int64_t count) {
  constexpr std::array<std::string_view, 5> units = {"", "K", "M", "B", "T"};
  auto value = static_cast<double>(count);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  const int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}", value, decimals, units[unit]);
}

std::string long_count(std::int64_t count) {
  std::string text = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > (count < 0 ? 1 : 0); at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

std::string bytes_text(std::int64_t bytes) {
  constexpr std::array<std::string_view, 5> units = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string escaped(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find_first_of("\n\t\"\\"), text.size());
    out += one_line(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const char c = text.front();
    out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : fmt::format("\\{}", c);
    text.remove_prefix(1);
  }
  return out + "\"";
}

std::string table(std::vector<std::vector<std::string>> rows, std::string_view align) {
  constexpr std::size_t widest = 120, widest_last = 1000;  // bytes: one cell must not make every row long
  std::vector<std::size_t> widths;
  for (auto& row : rows) {
    for (std::string& cell : row) cell = cut_text(cell, &cell == &row.back() ? widest_last : widest);
  }
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], character_count(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - character_count(row[i]), ' ');
      const bool right = i < align.size() && align[i] == 'r';
      line += (i == 0 ? "" : "  ") + (right ? space + row[i] : row[i] + space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string shell_word(const std::string& word) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string usual = "'", spelled = "$'";
  bool printable = true;
  for (std::string_view rest = word; !rest.empty();) {
    const Utf8Head head = utf8_head(rest);
    const auto byte = static_cast<unsigned char>(rest.front());
    if (head.kind != Utf8Head::valid || byte < 0x20 || byte == 0x7f) {
      printable = false;
      spelled += fmt::format("\\x{:02x}", byte);
      rest.remove_prefix(1);
      continue;
    }
    const std::string_view character = rest.substr(0, head.length);
    usual += character == "'" ? "'\\''" : character;
    if (character == "'" || character == "\\") spelled += '\\';
    spelled += character;
    rest.remove_prefix(head.length);
  }
  return (printable ? usual : spelled) + "'";
}

}  // namespace toy::cli

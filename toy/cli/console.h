// The answer on stdout, everything else on stderr, one line each.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "toy/cli/terminal_text.h"

namespace toy::cli {

/// Thrown when nobody reads stdout any more; the program then ends quietly.
struct ClosedOutput {};

class Console {
 public:
  /// Keeps notes to itself.
  void set_quiet(bool quiet) { quiet_ = quiet; }
  /// How this program was called, as a shell takes it: for commands that an answer offers.
  void set_program(std::string name) { program_ = std::move(name); }
  const std::string& program() const { return program_; }

  /// Adds to the answer. A pipe or file gets these bytes, a terminal their terminal_text.
  void print(std::string_view text);
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) requires(sizeof...(Args) > 0) {
    print(fmt::format(format, std::forward<Args>(args)...));
  }
  /// Writes the answer out. Errors: stdout cannot be written. Throws ClosedOutput when it was closed.
  void flush();

  /// One line on stderr unless quiet, cut when it is very long.
  void note(std::string_view text) const;
  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) const requires(sizeof...(Args) > 0) {
    note(fmt::format(format, std::forward<Args>(args)...));
  }
  /// "toy: text", always, cut when it is very long.
  static void error(std::string_view text);

 private:
  std::string waiting_;
  bool quiet_ = false;
  std::string program_ = "toy";
};

}  // namespace toy::cli

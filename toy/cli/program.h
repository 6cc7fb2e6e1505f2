// From the words of a command line to an exit code.
#pragma once

#include <span>
#include <string>

namespace toy::cli {

/// Runs the verb that the first word names. `called` is how the program was called. Never throws; 0, 1 or 2.
int run(std::span<const std::string> words, const std::string& called = "toy");

}  // namespace toy::cli

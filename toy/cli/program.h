// From the words of a command line to an exit code.
#pragma once

#include <span>
#include <string>

namespace toy::cli {

/// Runs the verb that the first word names. Never throws; 0, 1 or 2.
int run(std::span<const std::string> words);

}  // namespace toy::cli

// The table of verbs as text for people.
#pragma once

#include <string>

#include "toy/cli/registry.h"

namespace toy::cli {

/// `toy --help`
std::string program_help();
/// `toy VERB --help`; ends with two examples.
std::string verb_help(const Verb& verb);
/// docs/cli.md
std::string markdown();

}  // namespace toy::cli

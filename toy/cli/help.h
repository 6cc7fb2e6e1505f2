// The table of verbs as text for people.
#pragma once

#include <string>

#include "toy/cli/registry.h"

namespace toy::cli {

/// `toy --help`
std::string program_help();
/// `toy VERB --help`; names the verbs of its group, ends with two examples.
std::string verb_help(const Verb& verb);
/// `toy GROUP --help` of a group that is no verb of its own.
std::string group_help(const std::string& group);
/// docs/cli.md
std::string markdown();

}  // namespace toy::cli

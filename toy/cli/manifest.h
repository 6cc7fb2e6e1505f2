// The table of verbs as JSON for programs.
#pragma once

#include <string>

namespace toy::cli {

/// The command surface, schema toy/manifest-v1.
std::string manifest();

}  // namespace toy::cli

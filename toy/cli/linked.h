// What this program is made of besides its own code.
#pragma once

#include <string>

namespace toy::cli {

/// One line for each library: its name, the version of this build or, of shared libraries that tell it, of this run,
/// how it is linked, and where its source is.
std::string linked_libraries();

}  // namespace toy::cli

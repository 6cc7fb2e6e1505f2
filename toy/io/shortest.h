// Floats as people write them.
#pragma once

#include <fmt/format.h>

#include <string>

namespace toy {

/// The double of the shortest text that reads back as this float: 0.8, not 0.800000011920929.
inline double shortest(float value) { return std::stod(fmt::to_string(value)); }

}  // namespace toy

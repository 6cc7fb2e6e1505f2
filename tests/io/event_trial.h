// One log of hostile bytes. Shared by the fixed-seed test and the libFuzzer program.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace toy::testing {

/// Makes `path` a log of these bytes, reads and checks it, keeps its whole lines, writes one more, and reads again.
/// Returns the number of events that were read. Throws std::logic_error if a promise is broken: an event has no known
/// kind, lines are lost, or the log ends within one.
std::size_t event_trial(std::string_view bytes, const std::filesystem::path& path);

}  // namespace toy::testing

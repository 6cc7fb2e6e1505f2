// Removing a run, and nothing else.
#pragma once

#include <cstdint>
#include <filesystem>

namespace toy {

/// A folder that holds a run, looked at but not changed.
struct RemovableRun {
  std::filesystem::path folder;
  std::uint64_t bytes = 0;  // of its files
};
/// Errors: the folder is a link, no run or being trained; something in it is a link, or of no kind that a run makes
/// (names it).
RemovableRun removable_run(const std::filesystem::path& folder);

/// Removes the files that a run makes and the folder. Looks again at each name, below descriptors of folders that are
/// opened without following links, so that nothing outside is ever touched. Errors: as removable_run, and the disk.
void remove_run(const std::filesystem::path& folder);

}  // namespace toy

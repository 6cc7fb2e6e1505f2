// How many processors this process has.
#pragma once

#include <filesystem>

namespace toy {

/// Physical cores this process may use.
int physical_cores();

/// One thread per physical core, but no more than the control group's limit of processor time and OMP_NUM_THREADS
/// allow, where there are such.
int default_threads();

namespace cpu {

/// Processors' worth of time that the control groups of a process allow together, rounded up; 0 where there is no
/// limit. `groups` is its /proc/PID/cgroup, `root` where the groups are mounted (cgroup v2 or v1). Files that are
/// missing or not understood set no limit.
int processors_of_groups(const std::filesystem::path& groups, const std::filesystem::path& root);

}  // namespace cpu

}  // namespace toy

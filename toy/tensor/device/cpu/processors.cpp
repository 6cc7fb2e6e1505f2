#include "toy/tensor/device/cpu/processors.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sched.h>
#include <set>
#include <string>
#include <string_view>

namespace toy {

namespace {

namespace fs = std::filesystem;

/// Processors' worth of time in one control group; 0 without a limit ("max" in v2, -1 in v1).
double processors_of_group(const fs::path& group) {
  double quota = 0, period = 0;
  std::ifstream both(group / "cpu.max"), first(group / "cpu.cfs_quota_us"), second(group / "cpu.cfs_period_us");
  const bool read = (both >> quota >> period) || ((first >> quota) && (second >> period));
  return read && quota > 0 && period > 0 ? quota / period : 0;
}

/// OMP_NUM_THREADS, which other programs of this kind follow; 0 where it is not a number from 1 on.
int threads_of_environment() {
  const char* const text = std::getenv("OMP_NUM_THREADS");
  int threads = 0;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), threads);
  return std::max(threads, 0);
}

}  // namespace

int physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  std::set<std::string> cores;  // the threads of one core list the same siblings
  int processors = 0;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(i, &allowed)) continue;
    ++processors;
    std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", i));
    std::string siblings;
    if (std::getline(file, siblings)) cores.insert(siblings);
  }
  return std::max(1, cores.empty() ? processors : static_cast<int>(cores.size()));
}

int cpu::processors_of_groups(const fs::path& groups, const fs::path& root) {
  double least = 0;
  std::ifstream file(groups);
  for (std::string line; std::getline(file, line);) {  // "id:controllers:/path"; v2 has no controllers
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && fmt::format(",{},", controllers).find(",cpu,") == std::string::npos) continue;
    const fs::path mount = controllers.empty() ? root : root / "cpu";
    // A group has what its parents leave it. Inside a container the path may be that of the host: the root is ours.
    for (fs::path path = fs::path(line.substr(second + 1)).relative_path();; path = path.parent_path()) {
      const double here = processors_of_group(mount / path);
      if (here > 0 && (least == 0 || here < least)) least = here;
      if (path.empty()) break;
    }
  }
  return static_cast<int>(std::ceil(least));
}

int default_threads() {
  int threads = physical_cores();
  for (const int most : {cpu::processors_of_groups("/proc/self/cgroup", "/sys/fs/cgroup"), threads_of_environment()}) {
    if (most > 0) threads = std::min(threads, most);
  }
  return threads;
}

}  // namespace toy

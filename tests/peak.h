// How much memory this process has, and had at most.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

namespace toy::testing {

/// A line of /proc/self/status in bytes, such as "VmRSS:"; 0 where there is none.
inline std::int64_t status_bytes(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return 1024 * std::stoll(line.substr(key.size()));
  }
  return 0;
}
inline std::int64_t resident_bytes() { return status_bytes("VmRSS:"); }
/// Since the process began, or the peak was forgotten.
inline std::int64_t peak_bytes() { return status_bytes("VmHWM:"); }

/// The peak begins anew; false where the system does not let it.
inline bool forget_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << 5 << std::flush;
  return file.good();
}

}  // namespace toy::testing

// Calls of the system that fail on demand.
#pragma once

#include <algorithm>
#include <cerrno>

#include "toy/io/file_calls.h"

namespace toy::testing {

/// Counts the calls of one FileCalls and lets one of them fail.
struct CallPlan {
  int calls = 0;     // of all kinds together, so far
  int failing = -1;  // the number (from 0) of the call that fails with `reason`
  int reason = EIO;
  bool for_ever = false;               // all later calls fail too, as on a disk that is gone
  std::size_t most = ~std::size_t{0};  // bytes that one write takes

  bool fails() {
    const int call = calls++;
    if (failing < 0 || call < failing || (call > failing && !for_ever)) return false;
    errno = reason;
    return true;
  }
};

/// The real calls, guarded by `plan`, which must outlive them. A failing write first writes half of its bytes.
inline FileCalls planned(CallPlan& plan) {
  FileCalls calls;
  calls.write = [&plan](int descriptor, const void* bytes, std::size_t size) -> ssize_t {
    if (!plan.fails()) return ::write(descriptor, bytes, std::min(size, plan.most));
    const ssize_t part = plan.reason == EINTR ? 0 : ::write(descriptor, bytes, size / 2);
    errno = plan.reason;
    return part < 0 ? part : -1;
  };
  calls.fsync = [&plan](int descriptor) { return plan.fails() ? -1 : ::fsync(descriptor); };
  calls.ftruncate = [&plan](int descriptor, off_t size) { return plan.fails() ? -1 : ::ftruncate(descriptor, size); };
  calls.rename = [&plan](int from_folder, const char* from, int to_folder, const char* to) {
    return plan.fails() ? -1 : ::renameat(from_folder, from, to_folder, to);
  };
  return calls;
}

}  // namespace toy::testing

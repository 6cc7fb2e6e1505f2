// What of a run's log stays when the run goes on after a checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "toy/train/checkpoint.h"

namespace toy {

struct KeptLog {
  std::uint64_t bytes = 0;          // whole lines from its beginning; 0: none, a new log begins
  bool fits = false;                // they are the log as it was when the checkpoint was saved
  std::string damage{};             // otherwise: what is missing in them
  std::vector<double> losses{};     // of the steps in them
  std::uint64_t skipped_lines = 0;  // of a log that fits
  std::int64_t reached = 0;         // last step that the whole log tells of
};

/// The log up to the checkpoint's length. Where no line ends there, or the log is shorter, or has later steps before:
/// its whole lines up to the first one of a later time. A log that does not begin with a run_start keeps none.
KeptLog kept_log(const Place& log, const Checkpoint& checkpoint);

/// Copies a log of the run that is about to lose lines, or a part of one, to a file beside it, and returns that file's
/// name.
std::string set_log_aside(const Folder& run, const std::string& log, const FileCalls& calls = {});

}  // namespace toy

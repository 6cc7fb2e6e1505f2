// Runs that take a moment, and what is compared of them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "toy/train/run.h"

namespace toy::test {

/// A corpus of some thousand characters that a small model can begin to learn.
Corpus small_corpus();
/// 12 steps of a model of two layers; a checkpoint every 4, a validation and a sample every 3.
RunConfig small_config();

/// A run begun in `folder`, which is made.
Run begin_run(const std::filesystem::path& folder, const RunConfig& config, Device& device,
              const FileCalls& calls = {});

/// What two runs must have in common: bytes of the newest weights and moments, and the log without its clock.
struct Outcome {
  std::int64_t step = 0;
  std::string weights, state;
  std::vector<std::string> log;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};
Outcome outcome_of(const std::filesystem::path& run);

/// The message of the error that f throws; "no error" without one.
std::string error_of(const std::function<void()>& f);

}  // namespace toy::test

// What the verbs about runs have in common.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "toy/cli/json.h"
#include "toy/cli/registry.h"
#include "toy/train/run_log.h"

namespace toy::cli {

/// --dir, the folder of runs.
Option runs_folder_option();
/// How a run is named on the command line.
constexpr const char* run_words = "its name in --dir, a part of it that no other has, last for the newest, or a path";

/// The numbers of a run, and their fields below `path` ("runs[]") in the manifest.
Json run_json(const RunLog& run);
std::vector<Field> run_fields(const std::string& path, bool always);

/// A loss, or "-" if it is missing or not finite.
std::string loss_text(std::optional<double> loss);
/// A loss that is there: a number, or "not finite".
std::string finite_text(double loss);
/// 3725 -> "1 h 02 min"
std::string duration_text(double seconds);
/// 2026-05-31T10:00:00Z -> "2026-05-31 10:00"; any other text on one line.
std::string time_text(const std::string& time);

}  // namespace toy::cli

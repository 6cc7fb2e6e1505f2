// A run as its log tells it, and the folder of all runs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "toy/io/events.h"

namespace toy {

/// How a run ended (the `reason` of run_end), or that it has not: `running` while a process writes its log, `crashed`
/// if none does.
enum class RunState : std::uint8_t { running, completed, interrupted, aborted, errored, crashed };
std::string_view name(RunState state);

/// A number that the log gives as null or not at all is NaN.
struct StepRecord {
  std::uint64_t step = 0, tokens = 0;
  double loss = 0, lr = 0, grad_norm = 0;
  double wall_us = 0;
};
struct EvalRecord {
  std::uint64_t step = 0;
  std::string name;
  double loss = 0;  // mean of -log p in nats
};
struct SampleRecord {
  std::uint64_t step = 0;
  std::string prompt, text;
};

class RunLog {
 public:
  /// Reads `folder`/events.jsonl. Errors: it cannot be read, or does not begin with a run_start of toy/v1.
  static RunLog read(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  /// The folder's name, which is what the run was called if nobody renamed it.
  const std::string& id() const { return id_; }
  /// The event run_start.
  const Event& start() const { return start_; }
  /// The event run_end, or null.
  const Event& end() const { return end_; }
  /// Why it ended, where run_end says so.
  std::string error() const;
  /// The configuration that holds now: that of config.json beside the log, which a resumed run may have changed, or
  /// else that of run_start.
  const Event& config() const { return config_; }
  /// A text of run_start, as "/model/arch"; empty if it is not there.
  std::string fact(const std::string& pointer) const;
  RunState state() const { return state_; }

  const std::vector<StepRecord>& steps() const { return steps_; }
  const std::vector<EvalRecord>& evals() const { return evals_; }
  const std::vector<SampleRecord>& samples() const { return samples_; }
  const std::vector<std::string>& notes() const { return notes_; }
  std::uint64_t skipped_lines() const { return skipped_lines_; }

  /// The training loss of every step.
  std::vector<double> losses() const;
  std::optional<double> last_loss() const;
  std::optional<double> loss_at(std::uint64_t step) const;
  /// The evaluation with the smallest loss, whatever its name: of a part or of the whole of the validation data.
  std::optional<EvalRecord> best_eval() const;
  std::uint64_t tokens() const;
  /// Tokens of all steps by their time; nothing before the first.
  std::optional<double> tokens_per_second() const;
  /// Seconds from the beginning to the last event.
  double wall_seconds() const { return wall_seconds_; }

 private:
  void add(const Event& event);

  std::filesystem::path folder_;
  std::string id_;
  Event start_, end_, config_;
  RunState state_ = RunState::crashed;
  std::vector<StepRecord> steps_;
  std::vector<EvalRecord> evals_;
  std::vector<SampleRecord> samples_;
  std::vector<std::string> notes_;
  std::uint64_t skipped_lines_ = 0;
  double wall_seconds_ = 0;
};

struct SkippedRun {
  std::filesystem::path folder;
  std::string reason;
};
struct RunList {
  std::vector<RunLog> runs;  // newest first
  std::vector<SkippedRun> skipped;
};
/// The runs in a folder of runs; none if it is missing. What cannot be read is listed with the reason.
RunList list_runs(const std::filesystem::path& runs);

/// Where runs are unless another folder is given.
constexpr const char* default_runs = "runs";

/// The folder of the run in `runs` that is called `name`, or whose name alone begins so, or else alone contains it; of
/// "last" the newest. Nothing if there is none. Errors: there are several.
std::optional<std::filesystem::path> run_by_part(const std::filesystem::path& runs, const std::string& name);

/// The same, or the folder at the path `name`; first at the path if it has a "/", or is "." or "..".
/// Errors: there is none, or there are several.
std::filesystem::path find_run(const std::filesystem::path& runs, const std::string& name);

/// Errors: `name` is no plain name (up to 100 letters, digits, "-", "_" and ".", not "last"), or is taken in `runs`.
void check_run_name(const std::filesystem::path& runs, std::string_view name);
/// Makes the folder of a new run with this name. Errors: as check_run_name; it cannot be made.
std::filesystem::path new_named_run_folder(const std::filesystem::path& runs, std::string_view name);

/// Makes the folder of a new run, {arch}-{date}-{seq}, as llama-20260531-001: the number after the largest so far. Two
/// processes never get the same one. `date` is YYYYMMDD. Errors: it cannot be made, `arch` is no name for a file.
std::filesystem::path new_run_folder(const std::filesystem::path& runs, std::string_view arch, std::string_view date);

}  // namespace toy

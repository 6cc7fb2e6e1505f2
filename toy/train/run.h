// A run: training with a folder that keeps everything worth keeping.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "toy/io/events.h"
#include "toy/train/checkpoint.h"
#include "toy/train/recipe.h"

namespace toy {

/// What a run writes, and when.
struct RunOptions {
  std::int64_t eval_every = 100;            // steps between validations; 0: none
  std::int64_t gen_every = 200;             // steps between text samples; 0: none
  std::int64_t save_every = 500;            // steps between checkpoints; 0: at the end only
  std::int64_t keep = 3;                    // newest checkpoints that stay, beside the best one
  std::int64_t eval_windows = 64;           // windows of a validation; at the end the whole part is read
  double divergence_warning = 20;           // per cent by which the validation loss may exceed the training loss
  std::optional<double> divergence_stop{};  // the same, ends the run
  std::vector<std::string> prompts{};       // of the samples; empty: "Once upon a time"
  std::int64_t sample_tokens = 64;
  float temperature = 0.8F;        // of the samples
  std::set<std::string> events{};  // also "grad", "drift", "tap", "op_timing"
  std::int64_t events_every = 10;  // steps between those

  /// Errors: a value out of its range (names the option).
  void check() const;
};

/// All that a run was asked to do, as config.json keeps it.
struct RunConfig {
  FromScratch recipe;
  RunOptions options;
  std::vector<std::string> corpus;  // patterns; empty: the built-in stories
  std::string separator;
  std::string command;  // the words of the command line, for the log
  int threads = 0;
  std::string simd{};  // the level it is trained at: another one gives other bytes; empty: not known
};

/// config.json as text and back. Errors: what is missing or of the wrong type, named.
std::string config_text(const RunConfig& config);
RunConfig parse_config(std::string_view text, const std::string& name);
/// What the config.json of a run says. Errors: as parse_config.
RunConfig read_config(const Folder& run);

/// Where config.json, the log and the corpus of a run are.
constexpr const char *config_file = "config.json", *log_file = "events.jsonl", *tokens_file = "data/tokens.bin",
                     *flow_file = "flow.json";

/// What a run is called: the name of its folder, also where the path ends with "/" or ".".
std::string run_name(const std::filesystem::path& folder);

/// Sees a run go on. Each may be empty.
struct RunObserver {
  std::function<void(const StepResult&, double seconds)> step{};
  std::function<void(std::int64_t step, double validation_loss, double training_loss)> evaluation{};
  std::function<void(std::int64_t step, const std::string& prompt, const std::string& text)> sample{};
  std::function<void(const std::string& line)> note{};
  std::function<void(std::int64_t step, const std::filesystem::path& weights)> saved{};
};

/// Per cent by which a validation loss is above a training loss: 0 of equal ones, infinite of one that is not finite.
double divergence_gap(double validation, double training);

/// How a run ended.
struct RunSummary {
  enum class End { completed, interrupted, diverged, errored } end = End::completed;
  std::int64_t steps = 0;
  std::vector<double> losses;                         // of all steps, those before a resumption included
  std::optional<double> final_loss, validation_loss;  // the latter over the whole validation part
  double tokens_per_second = 0;                       // of the steps of this process
  std::filesystem::path weights;                      // of the last checkpoint
  std::string reason;                                 // why it diverged, or the error
};

class Run {
 public:
  /// Makes the folder's files and the training. `folder` exists and is empty. Errors: as FromScratch::realize; a folder
  /// that has a run already or whose run is being trained by somebody else.
  static Run begin(const Folder& folder, const RunConfig& config, const Corpus& corpus, Device& device,
                   const FromScratch::Progress& progress = {}, const FileCalls& calls = {});
  /// Goes on after the newest complete checkpoint: cuts the log back to it, removes what was half written, and sets
  /// newer checkpoints aside, which are damaged. Of a log that is damaged or missing it keeps what is there, and says
  /// what is not. `change` may alter the options (steps, intervals). Errors, which leave the run as it was: no
  /// checkpoint; fewer steps than it has done; somebody else trains this run.
  static Run resume(const Folder& folder, Device& device, const std::function<void(RunConfig&)>& change = {},
                    const FileCalls& calls = {});

  /// Trains to the end, or until `cancel`: then it saves and returns. Errors: a loss or gradient that is not finite
  /// (the steps before it are saved), the disk; the log then says so and the last checkpoint stays.
  RunSummary train(const RunObserver& observer = {}, const std::stop_token& cancel = {});
  /// What train() did, also when it threw.
  const RunSummary& summary() const { return summary_; }

  Training& training() { return *training_; }
  const RunConfig& config() const { return config_; }
  const std::filesystem::path& folder() const { return folder_.path(); }
  std::string id() const { return run_name(folder_.path()); }
  /// What begin() or resume() noticed, one line each.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  Run(Folder folder, RunConfig config, std::unique_ptr<EventWriter> log, FileCalls calls);
  void write_start();
  void write_flow();
  /// A validation that was asked for and cannot be.
  void note_validation();
  void mend_log(bool begin, const std::string& damage);
  void write_end(const RunSummary& summary, const char* reason, int code, const std::string& error);
  void train_steps(RunSummary& summary, const RunObserver& observer, const std::stop_token& cancel);
  void one_step(RunSummary& summary, const RunObserver& observer);
  StepResult step_or_save(const RunObserver& observer);
  /// False: the gap is beyond the stop.
  bool evaluate(RunSummary& summary, const RunObserver& observer);
  void write_samples(const RunObserver& observer);
  /// A checkpoint of now; those beyond `keep` go, unless nothing is to be pruned.
  void save(std::optional<double> validation_loss, const RunObserver& observer, bool prune = true);
  void watch_step(std::int64_t step);
  std::filesystem::path weights_path(std::int64_t step) const;

  Folder folder_;  // held open: what is written goes there, whatever its path leads to meanwhile
  RunConfig config_;
  std::unique_ptr<EventWriter> log_;
  FileCalls calls_;
  std::unique_ptr<Training> training_;
  std::vector<std::string> notes_;
  std::vector<std::string> prompts_;
  std::vector<double> earlier_losses_;
  RunSummary summary_;
  double seconds_ = 0;  // of the steps of this train(), and their tokens
  std::int64_t tokens_ = 0;
  Checkpoint progress_;  // what the next checkpoint will say
  std::optional<double> latest_validation_;
};

}  // namespace toy

// Saving a training and going on with it as if nothing had happened. The folder of a run may come from somebody else:
// no link in it is followed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "toy/io/file_calls.h"
#include "toy/io/folder.h"
#include "toy/train/training.h"

namespace toy {

/// A file of a checkpoint, its length and its hash (FNV-1a, 64 bits).
struct HashedFile {
  std::filesystem::path path;  // relative to the run's folder
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;
};

/// The sidecar `state/step-N.json`. It is written last: it alone makes step N exist.
struct Checkpoint {
  std::int64_t step = 0;
  HashedFile weights;                                // weights/step-N.gguf: the model, for any reader of GGUF
  HashedFile state;                                  // state/step-N.gguf: the moments of the optimizer and the shuffle
  HashedFile tokens;                                 // data/tokens.bin: the corpus
  std::uint64_t log_bytes = 0;                       // of events.jsonl at this step
  std::int64_t epoch = 0, position = 0, offset = 0;  // of the windows
  double loss_sum = 0;                               // since the last evaluation, for the divergence monitor
  double loss_weight = 0;  // of the losses in it: the share of its tokens that counted, of each step
  std::optional<double> validation_loss;
  std::optional<double> best_loss;  // smallest validation loss of a checkpoint so far
  std::int64_t best_step = 0;
};

/// The sidecar as text, with a hash of all that it says, and back. Errors: what is missing or of the wrong type, named;
/// another hash.
std::string checkpoint_text(const Checkpoint& checkpoint);
Checkpoint parse_checkpoint(std::string_view text, const std::string& name);

/// Writes weights, state, and then the sidecar, each whole or not at all. Fills in files, hashes and the windows; `c`
/// says the rest. The checkpoints before stay as they are. Errors: the disk.
void save_checkpoint(const Folder& run, const Training& training, Checkpoint c, const FileCalls& calls = {});

/// N of a checkpoint's files, step-N.gguf and step-N.json; nothing for other names.
std::optional<std::int64_t> checkpoint_step(const std::filesystem::path& file);

/// Writes the sidecar alone, whole or not at all, in place of the one of its step.
void save_sidecar(const Folder& run, const Checkpoint& checkpoint, const FileCalls& calls = {});

/// A file of a run with its length and hash now.
HashedFile hashed_file(const Folder& run, const std::filesystem::path& relative);

/// Removes what a crash left: temporary files, and parts of checkpoints of the steps to `reached`, by the run's own
/// records, that never came to be. Checkpoints after step `newest` are damaged: ".damaged" is added to their names, so
/// that they are none any more. Other files stay.
void tidy_checkpoints(const Folder& run, std::int64_t newest, std::int64_t reached);

/// Removes all checkpoints but the newest `keep`, and the best one.
void prune_checkpoints(const Folder& run, std::int64_t keep, std::int64_t best_step);

/// Steps of the run's sidecars, ascending.
std::vector<std::int64_t> checkpoint_steps(const Folder& run);
/// Where a run keeps the model of a step, below its folder.
std::filesystem::path weights_path(std::int64_t step);

/// Reads the sidecar of a step, and checks that its files are there with the right length and hash.
Checkpoint open_checkpoint(const Folder& run, std::int64_t step);

struct FoundCheckpoint {
  Checkpoint checkpoint;
  std::vector<std::string> skipped;  // newer ones that are damaged, and why
};
/// The newest complete checkpoint. Errors: there is none.
FoundCheckpoint newest_checkpoint(const Folder& run);

/// A training as it was at a checkpoint.
struct RestoredTraining {
  Checkpoint checkpoint;
  std::unique_ptr<Training> training;
  std::vector<std::string> skipped;  // newer checkpoints that are damaged, and why
};
/// The training at the newest checkpoint that is complete and fits its data: model and vocabulary from the weights,
/// data from the file `tokens` of the run. Writes nothing. Errors: there is none; it has done more steps than `options`
/// has.
RestoredTraining restore_training(const Folder& run, const std::filesystem::path& tokens, Device& device,
                                  const TrainingOptions& options);

}  // namespace toy

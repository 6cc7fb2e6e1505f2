// Which tokens each step sees.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "toy/nn/context.h"
#include "toy/train/tokens.h"

namespace toy {

/// Draws windows of a stretch of tokens without replacement: every epoch cuts the stretch into windows at an offset of
/// its own and shuffles them (Fisher & Yates). The order depends on the seed and the epoch alone.
class WindowSampler {
 public:
  /// Windows of `length` tokens and the one after, in [begin, end). Errors: the stretch is shorter than one.
  WindowSampler(std::int64_t begin, std::int64_t end, std::int64_t length, std::uint64_t seed);

  /// The first token of the next window.
  std::int64_t next();

  /// What a checkpoint has to keep.
  struct State {
    std::int64_t epoch = 0, position = 0, offset = 0;
    std::vector<std::int32_t> shuffle;
  };
  const State& state() const { return state_; }
  /// Errors: a shuffle that is no permutation of the windows.
  void restore(State state);
  /// Goes back to where it was: a position of its epoch.
  void rewind(std::int64_t epoch, std::int64_t position);
  std::int64_t windows_per_epoch() const { return static_cast<std::int64_t>(state_.shuffle.size()); }

 private:
  void begin_epoch();
  std::int64_t windows(std::int64_t offset) const { return (end_ - begin_ - 1 - offset) / length_; }

  std::int64_t begin_, end_, length_;
  std::uint64_t seed_;
  State state_;
};

/// Windows as one ragged batch and the token that follows each of theirs.
struct Examples {
  Batch batch;
  std::vector<std::int32_t> targets;  // [T]; -1 where the next token belongs to another document
};

/// The windows that begin at `starts`, one segment each; with `documents`, one for each document in it, so that
/// attention stays inside and positions begin again.
Examples examples(const TokenData& tokens, std::span<const std::int64_t> starts, std::int64_t length, bool documents);

/// How many targets of the window of `length` tokens at `start` count, those of examples() that are not -1.
std::int64_t counted_targets(const TokenData& tokens, std::int64_t start, std::int64_t length, bool documents);

}  // namespace toy

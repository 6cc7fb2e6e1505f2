// Two runs side by side.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "toy/train/run_log.h"

namespace toy {

/// The model of run_start and the configuration that holds now, by dotted name: "model.d_model", "config.training.lr".
std::map<std::string, Event> hyperparameters(const RunLog& run);

/// How a run stands to another: `par` while its perplexity is within 1 % of the other's.
enum class Verdict : std::uint8_t { ahead, par, behind };
std::string_view name(Verdict verdict);

/// Of a loss and of the baseline's, in nats. A loss that is not finite is behind every finite one.
Verdict verdict_of(double loss, double baseline_loss);

/// A hyperparameter of the model or the configuration that the runs do not share; names and command lines are none.
struct Difference {
  std::string name;
  Event run, baseline;  // null where it is missing
};

struct LossPair {
  std::uint64_t step = 0;
  double run = 0, baseline = 0;
};

struct RunComparison {
  std::vector<Difference> differences;
  std::vector<LossPair> losses;       // training losses at up to 10 steps that both have; the last is the last of them
  std::vector<LossPair> evaluations;  // the same of the evaluations of the name that both have most of
  /// What the verdict rests on: the evaluation at the last step that both evaluated, or else the mean training loss of
  /// the last 10 steps that both have. Empty if they share no step; then the numbers below are NaN.
  std::string basis;
  /// Why these losses may say little of each other (other vocabularies, other texts); empty: no reason that the logs
  /// know of. The verdict is that of the numbers all the same.
  std::string caution;
  double run_loss = 0, baseline_loss = 0;
  double loss_delta = 0;  // run - baseline
  double ppl_ratio = 0;   // e^loss_delta
  Verdict verdict = Verdict::par;
  double speed_ratio = 0;  // tokens per second, run / baseline; NaN if one has none
};

RunComparison compare(const RunLog& run, const RunLog& baseline);

}  // namespace toy

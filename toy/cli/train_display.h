// What `toy train` shows while it runs.
#pragma once

#include <cstdint>
#include <exception>
#include <stop_token>
#include <string>
#include <vector>

#include "toy/cli/console.h"
#include "toy/cli/live.h"
#include "toy/train/run.h"

namespace toy::cli {

/// The loss curve on stdout, the same for the same run; below it, on a terminal, a line of progress and a plot of the
/// loss that change in place.
class TrainDisplay {
 public:
  /// peak: F32 operations per second that the machine can do; 0: unknown. quiet_answer: nothing on stdout (--json).
  /// stop: asked for when stdout cannot be written any more, so that the run ends in good order.
  TrainDisplay(Console& console, Run& run, double peak, bool quiet_answer, bool live, std::stop_source stop);

  RunObserver observer();
  /// Takes the changing lines away, and tells the last loss.
  void finish();
  /// Why stdout could not be written; empty if it could.
  const std::exception_ptr& failure() const { return failure_; }

 private:
  void step(const StepResult& r, double seconds);
  void print(const std::string& line);
  std::string progress(double loss) const;

  Console* console_;
  std::int64_t steps_, first_, print_every_;
  double flops_per_token_, peak_;
  bool quiet_answer_;
  LiveLines lines_;
  std::vector<double> losses_;
  std::int64_t tokens_ = 0, done_ = 0;
  double seconds_ = 0;
  std::int64_t printed_ = 0;  // step
  std::stop_source stop_;
  std::exception_ptr failure_;
};

/// Floating-point operations of training on one token: 6 for each weight that multiplies, and attention's.
double training_flops_per_token(Model& model, std::int64_t context);

}  // namespace toy::cli

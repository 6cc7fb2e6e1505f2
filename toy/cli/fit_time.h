// As many steps as fit into a given time.
#pragma once

#include <stop_token>

#include "toy/cli/arguments.h"
#include "toy/train/corpus.h"
#include "toy/train/run.h"

namespace toy::cli {

class Console;

/// Measures the speed of the training and sets its steps so that they and their validations take about `seconds`; under
/// a cosine whose warm-up is not given also that, as a tenth of them. Says what was chosen. Errors: cancelled.
void fit_steps(double seconds, const Arguments& arguments, const Corpus& corpus, RunConfig& config, Console& console,
               const std::stop_token& stop);

}  // namespace toy::cli

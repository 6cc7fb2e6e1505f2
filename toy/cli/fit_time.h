// As many steps as fit into a given time.
#pragma once

#include <stop_token>

#include "toy/cli/arguments.h"
#include "toy/train/corpus.h"
#include "toy/train/run.h"

namespace toy::cli {

class Console;

/// Measures how fast it trains and sets the steps so that they and their validations take about `seconds`. With a
/// cosine and no given warm-up, a tenth of the steps warms up. Notes what was chosen. Errors: cancelled.
void fit_steps(double seconds, const Arguments& arguments, const Corpus& corpus, RunConfig& config, Console& console,
               const std::stop_token& stop);

}  // namespace toy::cli

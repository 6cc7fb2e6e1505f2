// What `toy train` can be told, once: options, values and help.
#pragma once

#include <filesystem>
#include <vector>

#include "toy/cli/arguments.h"
#include "toy/cli/registry.h"
#include "toy/train/run.h"

namespace toy::cli {

/// The options of a training from scratch, without those of the device.
std::vector<Option> training_options();
/// Options of the model, the vocabulary and the corpus alone, for autotune.
std::vector<Option> recipe_options();

/// All options into a new configuration. Errors: what does not fit together.
RunConfig run_config(const Arguments& arguments);
/// Those of recipe_options() into a new configuration.
RunConfig recipe_config(const Arguments& arguments);
/// The given ones of those that a resumed run may change. Errors: another one is given and differs (names it).
void change_config(const Arguments& arguments, RunConfig& config);

/// The texts that a configuration names; what was noticed is printed.
Corpus corpus_of(const RunConfig& config, Console& console);

}  // namespace toy::cli

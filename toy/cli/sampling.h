// How infer chooses tokens.
#pragma once

#include <vector>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/cli/registry.h"
#include "toy/generate/sampler.h"

namespace toy::cli {

/// --temp, --top-k, --top-p, --min-p, --seed
std::vector<Option> sampling_options();

/// The temperature is 1 where another of the options asks for sampling, and the seed a new one each time, unless they
/// are given. Notes a temperature that was not given, and options that have no effect.
SamplingOptions sampling_of(const Arguments& arguments, const Console& console);

}  // namespace toy::cli

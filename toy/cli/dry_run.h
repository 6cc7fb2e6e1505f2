// What a training takes, before it begins: toy train from-scratch --dry-run.
#pragma once

#include <vector>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/cli/registry.h"

namespace toy::cli {

/// Prints the memory, then tries a few steps and prints the time. Errors: too little memory, after it was printed.
void dry_run(const Arguments& a, Console& console);

/// Fields of its answer in JSON.
std::vector<Field> dry_run_fields();

}  // namespace toy::cli

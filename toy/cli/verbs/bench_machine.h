// toy bench --machine: what the machine can do, without a model.
#pragma once

#include "toy/cli/registry.h"

namespace toy::cli {

/// Measures every level of this processor (or the one of --simd) and prints it, as JSON with --json. `threads` for
/// what all threads do together.
void bench_machine(const Arguments& arguments, int threads, Console& console);

JsonForm bench_machine_json();

}  // namespace toy::cli

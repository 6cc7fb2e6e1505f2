// The graph of a forward, for tools that draw it.
#pragma once

#include <cstdint>
#include <string>

#include "toy/io/metadata.h"

namespace toy {

/// flow.json, schema toy/flow-v1: what the trace of one sequence of T tokens records, its loss included. `values` have
/// name, shape and axes by their index; `ops` have scope, op, inputs and outputs (indices), FLOPs and bytes.
std::string flow_text(const Metadata& metadata, std::int64_t tokens);

}  // namespace toy

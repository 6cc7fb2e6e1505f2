// The trace of one forward, for describe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "toy/cli/json.h"
#include "toy/models/load.h"

namespace toy::cli {

/// Tokens T of the traced forward: `wanted`, else 512 or the context, whichever is less.
std::int64_t trace_tokens(const Sizes& sizes, std::optional<std::int64_t> wanted);

/// One line per op.
std::string ops_text(const GgufFile& file, std::int64_t tokens);
/// One object per op.
Json ops_json(const GgufFile& file, std::int64_t tokens);

/// Operations of the products and of attention, and bytes of matrices read, of a forward of `tokens` tokens after
/// `past` others with the logits of the last row.
struct ForwardCost {
  double flops = 0;
  double weight_bytes = 0;
};
ForwardCost forward_cost(const GgufFile& file, std::int64_t tokens, std::int64_t past);

}  // namespace toy::cli

// What a run can log beside its losses, on request.
#pragma once

#include <cstdint>
#include <string_view>

#include "toy/io/events.h"
#include "toy/train/training.h"

namespace toy {

/// `grad`: size of a parameter's gradient, before clipping.
void log_gradient(EventWriter& log, std::int64_t step, std::string_view parameter, const Tensor& gradient);

/// `tap`: statistics of a named value of the forward, of queries, keys and values also the norm of each head. Values
/// that are not F32 are passed over.
void log_tap(EventWriter& log, std::int64_t step, std::string_view name, const Tensor& value, const Sizes& sizes);

/// `op_timing`: microseconds of each op in one step, forward and back; ops that did not run are left out.
void log_op_timing(EventWriter& log, std::int64_t step, const OpSeconds& seconds);

/// `drift`: how far each parameter has moved from its first value, and the rows of the 8 most frequent tokens of the
/// embedding. The first values are drawn again from the seed.
void log_drift(EventWriter& log, const Training& training);

}  // namespace toy

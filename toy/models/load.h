// A model from a GGUF file.
#pragma once

#include <memory>

#include "toy/io/gguf.h"
#include "toy/models/match.h"
#include "toy/tensor/device.h"
#include "toy/tensor/device/trace/trace_device.h"

namespace toy {

/// What the parameters are for: `inference` prepares them, `training` makes each an F32 leaf that requires a gradient
/// (constants such as rope_freqs do not).
enum class Use { inference, training };

/// Loads every parameter onto the device.
std::unique_ptr<Model> load_model(const GgufFile& file, Device& device, Use use = Use::inference);

/// The same modules on a trace device: shapes and types from the header, no elements.
std::unique_ptr<Model> trace_model(const GgufFile& file, TraceDevice& device);

}  // namespace toy

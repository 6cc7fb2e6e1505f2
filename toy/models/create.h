// A model that no file holds yet.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "toy/models/model.h"
#include "toy/tensor/device.h"

namespace toy {

/// Decides whether a new model has an optional parameter, by its name ("output.weight", "blk.0.attn_q.bias").
using Wanted = std::function<bool(std::string_view name)>;

/// The architecture of these hyperparameters (keys as in a GGUF file) with F32 parameters that are zero and require a
/// gradient. Errors: as make_model; no memory.
std::unique_ptr<Model> new_model(const Metadata& metadata, Device& device, const Wanted& wanted);

}  // namespace toy

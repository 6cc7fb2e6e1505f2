// A model from a GGUF file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "toy/io/gguf.h"
#include "toy/models/model.h"
#include "toy/tensor/device.h"
#include "toy/tensor/device/trace/trace_device.h"

namespace toy {

/// A tensor of a file under its name in the model: the whole of it, or some rows of a fused one.
struct ParameterSource {
  std::string name;
  const TensorInfo* tensor = nullptr;
  std::int64_t begin = 0;  // rows
  Shape shape;
};

/// Matches a model's list with the tensors of a file. Errors: missing and unexpected tensors (all of them), a wrong
/// shape (expected / found, and the hyperparameters that were read), no elements, an element type that cannot be
/// computed.
std::vector<ParameterSource> match_parameters(Model& model, const Hyperparameters& h);

/// Loads every parameter onto the device and prepares it.
std::unique_ptr<Model> load_model(const GgufFile& file, Device& device);

/// The same modules on a trace device: shapes and types from the header, no elements.
std::unique_ptr<Model> trace_model(const GgufFile& file, TraceDevice& device);

}  // namespace toy

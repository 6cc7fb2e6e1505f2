// Which tensor of a file is which parameter of a model.
#pragma once

#include <string>
#include <vector>

#include "toy/models/model.h"

namespace toy {

/// A parameter of a model and where a file has it: a whole tensor, or some rows of a fused one.
struct ParameterSource {
  Tensor* parameter = nullptr;  // to be filled
  std::string name;             // "blk.3.attn_q.weight"
  Shape shape;
  const TensorInfo* tensor = nullptr;
  std::int64_t begin = 0;  // first row in the tensor
};

/// Matches a model's list with the tensors of a file; optional parameters that the file lacks are left out.
/// Errors: missing and unexpected tensors (all of them), a wrong shape (expected / found, and the hyperparameters that
/// were read), no elements, an element type that cannot be computed.
std::vector<ParameterSource> match_parameters(Model& model, const Hyperparameters& h);

}  // namespace toy

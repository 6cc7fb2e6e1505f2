// The size of a gradient.
#pragma once

#include <span>

#include "toy/tensor/tensor.h"

namespace toy {

/// sqrt of the sum of squares over all gradients; empty ones do not count.
double global_norm(std::span<const Tensor> gradients);

/// Multiplies all gradients by min(1, most / (norm + 1e-6)), in place (Pascanu et al. 2013); a norm that is not
/// finite leaves them as they are. Returns the norm before. Errors: a `most` below 0.
double clip_global_norm(std::span<const Tensor> gradients, double most);

}  // namespace toy

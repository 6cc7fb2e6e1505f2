// The numbers by which GGUF files name element types.
#pragma once

#include <cstdint>
#include <string_view>

#include "toy/tensor/dtype.h"

namespace toy {

/// The type of a tensor in a file. Fails naming `tensor` for a type that is known but not supported, and for an
/// unknown number. `where` (a path) begins the message.
DType dtype_of_gguf(std::uint32_t id, std::string_view tensor, std::string_view where);

/// The number a file stores for a type.
std::uint32_t gguf_id(DType type);

}  // namespace toy

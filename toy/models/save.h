// A model to a GGUF file.
#pragma once

#include <filesystem>

#include "toy/io/gguf.h"
#include "toy/models/model.h"

namespace toy {

/// Writes the parameters of a model whose elements lie in rows as F32, with this metadata, whole or not at all.
/// Matrices become `matrices` (F32, F16, BF16 or a block type); vectors stay F32. What readers of this architecture
/// expect fused is written fused. Errors: rows that the block type does not divide; the disk.
void save_model(const Place& place, Model& model, const Metadata& metadata, DType matrices = DType::F32,
                const FileCalls& calls = {});

/// The tensors that save_model writes, in their order; valid as long as the model.
std::vector<TensorSource> tensor_sources(Model& model, DType matrices);

}  // namespace toy

// The model inside the program: stories, trained by toy itself.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace toy::cli {

/// The bytes of models/stories.gguf.
std::span<const std::byte> embedded_model();

/// A path at which this process, and no other, can open it: a file in memory. Errors: no memory.
std::filesystem::path embedded_model_path();

}  // namespace toy::cli

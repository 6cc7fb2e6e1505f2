// Text from a model that is being trained.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "toy/generate/sampler.h"
#include "toy/models/model.h"
#include "toy/text/tokenizer.h"

namespace toy {

/// Continues a prompt by at most n tokens, until the text or the context ends. Nothing is recorded on a tape.
/// Errors: a prompt that fills the context.
std::string sample_text(const Model& model, Device& device, const Tokenizer& tokenizer, std::string_view prompt,
                        std::int64_t n, const SamplingOptions& sampling);

}  // namespace toy

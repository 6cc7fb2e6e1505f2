// What a GGUF file is for: a model, or one of the other things that the format carries.
#pragma once

#include <string>
#include <string_view>

#include "toy/io/gguf.h"

namespace toy {

enum class FileKind : std::uint8_t { model, vocabulary, header, adapter, importance_matrix, projector, training_state };

/// By general.type, else by the keys and the names of the tensors that only one kind has.
FileKind kind_of(const GgufFile& file);
/// What the file is, as the rest of a sentence: "is an adapter (LoRA) for a model, not a model of its own; ..."; empty
/// for a model.
std::string_view words_of(FileKind kind);

/// Fails with "path: what". A long path is shortened in its middle so that the line, with "toy: ", has at most 200
/// characters where `what` allows it.
[[noreturn]] void fail_in_short(const GgufFile& file, std::string_view what);

/// The metadata of a model. Errors: the file is none; says what it is.
const Metadata& require_model(const GgufFile& file);
/// Errors: the file has no tokenizer; says what it is.
void require_tokenizer(const GgufFile& file);
/// Errors: the model has experts, between which a router chooses (Shazeer et al. 2017).
void refuse_experts(const GgufFile& file, std::string_view architecture);

}  // namespace toy

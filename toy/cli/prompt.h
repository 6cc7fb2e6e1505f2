// The prompt of infer, as text and as tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/cli/registry.h"
#include "toy/generate/language_model.h"

namespace toy::cli {

/// --prompt, --prompt-file, --prompt-ids, --keep-newline, --parse-special
std::vector<Option> prompt_options();
/// Errors: two that exclude each other.
void check_prompt_options(const Arguments& arguments);
/// Errors: no prompt is given, and nobody pipes one in.
void require_prompt(const Arguments& arguments);

/// The text of --prompt, --prompt-file or standard input; empty with --prompt-ids. The last line break of a file or
/// pipe, which editors and echo put there, is dropped unless --keep-newline; this is noted.
std::string prompt_text(const Arguments& arguments, const Console& console);
/// --prompt-ids, or the tokens of the text: at least BOS, if the model has one. Errors: the model has no tokenizer.
std::vector<std::int32_t> prompt_ids(const Arguments& arguments, const LanguageModel& lm, const std::string& text);

/// Notes that a text begins with BOS twice: models have not seen that.
void note_two_bos(std::span<const std::int32_t> ids, const Tokenizer& tokenizer, const Console& console);

}  // namespace toy::cli

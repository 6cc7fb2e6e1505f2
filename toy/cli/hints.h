// What the words of other programs are called here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "toy/cli/registry.h"

namespace toy::cli {

/// What to say of a flag that other programs have: "here it is --temp", "the model is the first word: toy infer MODEL".
/// Nothing for one of the verb's own flags, for one that no such program has, and for one whose counterpart the verb
/// lacks.
std::optional<std::string> hint_for_flag(const Verb& verb, std::string_view flag);

/// What to say of a verb that other programs have: "here it is infer", "is not there yet; ...".
std::optional<std::string> hint_for_verb(std::string_view verb);

}  // namespace toy::cli

// One hostile vocabulary: a good one with a few mutations, loaded and used. Shared by the fixed-seed test and the
// libFuzzer program.
#pragma once

#include <cstdint>
#include <span>

namespace toy::test {

/// Takes its decisions from `choices`, and from a generator seeded by them when they run out. Returns whether the
/// vocabulary loaded. Throws std::logic_error if a promise is broken: an error or note that is not one line, an id out
/// of range, decoded text that is not UTF-8 or differs from the streamed one.
bool tokenizer_trial(std::span<const std::uint8_t> choices);

}  // namespace toy::test

// One vocabulary learned from hostile bytes. Shared by the fixed-seed test and the libFuzzer program.
#pragma once

#include <cstdint>
#include <span>

namespace toy::test {

/// The first bytes choose the options, the others are the corpus, as they are or mapped to a few fragments. Throws
/// std::logic_error if a promise is broken: the encoded corpus has another length than training says, pieces do not
/// join to the text, text becomes a token that is no text, or what is listed changes the result.
void bpe_trial(std::span<const std::uint8_t> bytes);

}  // namespace toy::test

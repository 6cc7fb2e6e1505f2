// libFuzzer: the bytes choose a vocabulary, its mutations and the texts to tokenize.
#include <cstddef>
#include <cstdint>

#include "tests/text/tokenizer_trial.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  toy::test::tokenizer_trial({data, size});
  return 0;
}

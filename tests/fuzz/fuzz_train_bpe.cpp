// libFuzzer: the bytes choose a corpus and the options to learn a vocabulary from it.
#include <cstddef>
#include <cstdint>

#include "tests/text/bpe_trial.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size <= 4096) toy::test::bpe_trial({data, size});
  return 0;
}

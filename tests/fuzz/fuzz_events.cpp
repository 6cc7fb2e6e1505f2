// libFuzzer: the bytes are the log of a run.
#include <cstddef>
#include <cstdint>

#include "tests/io/event_trial.h"
#include "tests/io/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const toy::testing::MemoryFile file;
  toy::testing::event_trial({reinterpret_cast<const char*>(data), size}, file.path());
  return 0;
}

// libFuzzer: the bytes are the log of a run.
#include <cstddef>
#include <cstdint>

#include "tests/io/event_trial.h"
#include "tests/io/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const toy::testing::ScratchFolder folder;
  toy::testing::event_trial({reinterpret_cast<const char*>(data), size}, folder / "log");
  return 0;
}

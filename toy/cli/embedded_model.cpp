#include "toy/cli/embedded_model.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <sys/mman.h>

#include "toy/io/file_calls.h"
#include "toy/tensor/error.h"

// Data that stands in the program as it stands in the file: no compiler has to read it.
asm(".pushsection .rodata\n"
    ".balign 64\n"
    ".global toy_embedded_model_begin\n"
    "toy_embedded_model_begin:\n"
    ".incbin \"" TOY_EMBEDDED_MODEL
    "\"\n"
    ".global toy_embedded_model_end\n"
    "toy_embedded_model_end:\n"
    ".popsection\n");

extern "C" {
extern const std::byte toy_embedded_model_begin[];
extern const std::byte toy_embedded_model_end[];
}

namespace toy::cli {

std::span<const std::byte> embedded_model() { return {toy_embedded_model_begin, toy_embedded_model_end}; }

std::filesystem::path embedded_model_path() {
  // The descriptor stays open: the path is its name.
  static const int descriptor = [] {
    const int made = ::memfd_create("the built-in model", MFD_CLOEXEC);
    if (made < 0 || write_all({}, made, embedded_model()) != embedded_model().size()) {
      fail("the built-in model cannot be unpacked into memory: {}", std::strerror(errno));
    }
    return made;
  }();
  return fmt::format("/proc/self/fd/{}", descriptor);
}

}  // namespace toy::cli

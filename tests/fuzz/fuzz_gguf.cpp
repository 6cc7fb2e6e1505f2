// Fuzz target of the GGUF reader: coverage-guided, with mutations that know the format.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/io/gguf_mutator.h"
#include "tests/io/scratch.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static toy::testing::MemoryFile file;
  if (size == 0) return 0;
  file.assign({reinterpret_cast<const char*>(data), size});
  toy::testing::read_everything(file.path());
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  toy::testing::Random random(seed);
  if (random() % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.size() < 24 || random() % 64 == 0) bytes = toy::testing::random_gguf(random);
  toy::testing::mutate_gguf(bytes, random);
  if (bytes.size() > max_size) bytes.resize(max_size);
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/io/gguf_mutator.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

std::size_t runs() {
  const char* text = std::getenv("TOY_FUZZ_RUNS");
  return text == nullptr ? 20'000 : std::strtoul(text, nullptr, 10);
}

TEST(GgufMutation, RandomFilesAreValid) {
  Random random(1);
  MemoryFile file;
  for (int i = 0; i < 1000; ++i) {
    file.assign(random_gguf(random));
    ASSERT_TRUE(read_everything(file.path())) << "file " << i;
  }
}

TEST(GgufMutation, TheMapFindsEveryEntry) {
  Random random(2);
  for (int i = 0; i < 100; ++i) {
    const std::string bytes = random_gguf(random);
    const HeaderMap map = map_header(bytes);
    EXPECT_EQ(map.entries.size(), static_cast<std::size_t>(bytes[8] + bytes[16]));
  }
}

// Reads each mutated file to its end or gets one toy::Error; sanitizers watch.
TEST(GgufMutation, MutatedFilesAreReadOrRefused) {
  Random random(20261121);
  MemoryFile file;
  std::size_t loaded = 0;
  for (std::size_t i = 0; i < runs(); ++i) {
    std::string bytes = random_gguf(random);
    for (std::size_t n = 1 + random() % 4; n > 0; --n) mutate_gguf(bytes, random);
    if (bytes.empty()) continue;
    file.assign(bytes);
    if (read_everything(file.path())) ++loaded;
  }
  std::cout << runs() << " mutated files, " << loaded << " of them load\n";
  EXPECT_GT(loaded, runs() / 100);
  EXPECT_LT(loaded, runs());
}

}  // namespace
}  // namespace toy::testing

// Random mutations of the tokenizer's metadata with a fixed seed. TOY_FUZZ_RUNS sets how many (3000).
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <vector>

#include "tests/text/tokenizer_trial.h"

namespace {

TEST(Mutation, VocabulariesLoadOrAreRefusedInOneLine) {
  const char* wanted = std::getenv("TOY_FUZZ_RUNS");
  const long runs = wanted == nullptr ? 3000 : std::atol(wanted);
  std::mt19937_64 random(20);
  long loaded = 0;
  for (long run = 0; run < runs; ++run) {
    std::vector<std::uint8_t> choices(64);
    for (std::uint8_t& byte : choices) byte = static_cast<std::uint8_t>(random());
    bool good = false;
    ASSERT_NO_THROW(good = toy::test::tokenizer_trial(choices)) << "run " << run;
    loaded += good;
  }
  // The mutations must be mild enough that what they change is used, and wild enough to be refused too.
  if (runs >= 1000) {
    EXPECT_GT(loaded, runs / 2);
    EXPECT_LT(loaded, runs);
  }
}

}  // namespace

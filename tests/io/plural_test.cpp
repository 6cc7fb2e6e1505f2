#include "toy/io/plural.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace toy {
namespace {

TEST(Plural, OfOneIsTheWordItself) {
  EXPECT_EQ(plural(1, "line"), "line");
  EXPECT_EQ(plural(0, "line"), "lines");
  EXPECT_EQ(plural(std::uint64_t{2}, "line"), "lines");
  EXPECT_EQ(plural(1, "story", "stories"), "story");
  EXPECT_EQ(plural(21, "story", "stories"), "stories");
}

}  // namespace
}  // namespace toy

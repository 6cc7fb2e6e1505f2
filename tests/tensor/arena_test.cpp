// The memory of activations: what is given back is served again.
#include "toy/tensor/device/cpu/arena.h"

#include <gtest/gtest.h>

namespace toy::cpu {
namespace {

TEST(Arena, TakesTheBestFit) {
  Arena arena;
  std::byte* const large = arena.take(6400);
  std::byte* const between = arena.take(64);
  std::byte* const small = arena.take(640);
  std::byte* const last = arena.take(64);
  arena.give_back(large);
  arena.give_back(small);
  EXPECT_EQ(arena.take(640), small);
  EXPECT_EQ(arena.take(640), large);
  EXPECT_EQ(arena.take(5760), large + 640);
  arena.give_back(between);
  arena.give_back(last);
}

TEST(Arena, ServesTheSameSizeFirstWhereAsked) {
  Arena arena;
  arena.same_size_first(true);
  std::byte* const a = arena.take(6400);
  std::byte* const b = arena.take(640);
  std::byte* const c = arena.take(6400);
  arena.give_back(a);
  arena.give_back(b);
  EXPECT_EQ(arena.take(640), b);
  EXPECT_EQ(arena.take(6400), a);
  // Of another size: all of it together, before anything that was never touched.
  arena.give_back(a);
  arena.give_back(b);
  EXPECT_EQ(arena.take(7040), a);
  // A step begins as the first one did.
  arena.give_back(a);
  arena.give_back(c);
  arena.begin_step();
  EXPECT_EQ(arena.take(6400), a);
  EXPECT_EQ(arena.reach(), 6400);
}

}  // namespace
}  // namespace toy::cpu

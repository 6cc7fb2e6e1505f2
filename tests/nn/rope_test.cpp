// Frequencies and scale of stretched rotary positions, worked out by hand.
#include "toy/nn/rope.h"

#include <gtest/gtest.h>

namespace toy {
namespace {

RopeOptions four_times_longer(double extrapolation) {
  RopeOptions o{.width = 4, .base = 10000, .factor = 4};
  o.yarn = Yarn{.original_context = 2048, .extrapolation = extrapolation};
  return o;
}

TEST(Yarn, TheRampKeepsHighFrequenciesAndScalesAttention) {
  // 4 ln(2048 / (2 pi n)) / (2 ln 10000) is 0.50 for n = 32 and 1.26 for n = 1: a ramp from pair 0 to pair 2.
  const auto f = rope_frequencies(four_times_longer(1));
  EXPECT_FLOAT_EQ(f[0], 1);
  EXPECT_FLOAT_EQ(f[1], 0.01F * (0.5F / 4 + 0.5F));
  EXPECT_FLOAT_EQ(rope_scale(four_times_longer(1)), 1.1386294F);  // 0.1 ln 4 + 1
}

/// As llama.cpp's files mean it: yarn_ext_factor = 0 divides every frequency and leaves attention alone.
TEST(Yarn, WithoutARampOnlyDividesPositions) {
  RopeOptions o = four_times_longer(0);
  const auto f = rope_frequencies(o);
  EXPECT_FLOAT_EQ(f[0], 0.25F);
  EXPECT_FLOAT_EQ(f[1], 0.0025F);
  EXPECT_FLOAT_EQ(rope_scale(o), 1);
  o.yarn->attention_factor = 0.5;
  EXPECT_FLOAT_EQ(rope_scale(o), 0.5F);
}

}  // namespace
}  // namespace toy

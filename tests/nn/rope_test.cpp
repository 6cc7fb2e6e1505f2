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
  // Pair 0 turns 2048 / (2 pi) > 32 times and stays; pair 1 has wavelength 200 pi: the ramp of eq. 17 over [0, 3].
  const auto f = rope_frequencies(four_times_longer(1));
  EXPECT_FLOAT_EQ(f[0], 1);
  EXPECT_NEAR(f[1], 0.01 * ((1.0 / 3) / 4 + 2.0 / 3), 1e-2 * 0.01);
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

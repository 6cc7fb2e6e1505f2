// Rotary position embedding.
#pragma once

#include <cmath>

#include "toy/tensor/op.h"

namespace toy {

/// Which elements of a head rotate together: (x_2i, x_2i+1), or (x_i, x_i+R/2) of the first R.
enum class Pairing : std::uint8_t { interleaved, halves };

/// Rotation angles of a batch: for row t and pair i, scale * cos(p_t f_i) at [t, i] and scale * sin(p_t f_i) at
/// [t, R/2 + i]. positions [T] I32, frequencies [R/2] F32 -> [T, R] F32. Computed in double.
Tensor angles(const Tensor& positions, const Tensor& frequencies, float scale);

/// Rotates each head's first R elements by the row's angles (Su et al. 2021, eq. 34); the rest passes through.
/// x [T, heads * d] F32 or F64, angles [T, R] F32, R <= d -> [T, heads * d]. `back` turns the other way, which is
/// the gradient.
Tensor rope(const Tensor& x, const Tensor& angles, std::int64_t d, Pairing pairing, bool back = false);

struct AnglesArgs {
  static constexpr Op op{"angles", "c_t = cos(p_t f), s_t = sin(p_t f)", false};
  const std::int32_t* positions;  // [T]
  const float* frequencies;       // [R/2]
  float* y;                       // [T, R]
  std::int64_t T, R;
  float scale;
};

template <class Number>
struct RopeArgsOf {
  static constexpr Op op{"rope", "y_t = R(c_t, s_t) x_t", true};
  const Number* x;      // [T, heads, d]
  const float* angles;  // [T, R]
  Number* y;            // [T, heads, d]
  std::int64_t T, heads, d, R;
  Pairing pairing;
  bool back = false;  // by the negative angles
};
using RopeArgs = RopeArgsOf<float>;

/// Also the kernel of every SIMD level: it runs once a step, and double keeps long contexts exact.
template <class Real>
void angles_ref(const AnglesArgs& a) {
  const std::int64_t half = a.R / 2;
  for (std::int64_t t = 0; t < a.T; ++t) {
    for (std::int64_t i = 0; i < half; ++i) {
      const Real angle = static_cast<Real>(a.positions[t]) * static_cast<Real>(a.frequencies[i]);
      a.y[t * a.R + i] = static_cast<float>(static_cast<Real>(a.scale) * std::cos(angle));
      a.y[t * a.R + half + i] = static_cast<float>(static_cast<Real>(a.scale) * std::sin(angle));
    }
  }
}

template <class Real, class Number = float>
void rope_ref(const RopeArgsOf<Number>& a) {
  const std::int64_t half = a.R / 2;
  for (std::int64_t row = 0; row < a.T * a.heads; ++row) {
    const Number* x = a.x + row * a.d;
    Number* y = a.y + row * a.d;
    const float* cosine = a.angles + row / a.heads * a.R;
    const float* sine = cosine + half;
    for (std::int64_t i = 0; i < half; ++i) {
      const std::int64_t first = a.pairing == Pairing::interleaved ? 2 * i : i;
      const std::int64_t second = a.pairing == Pairing::interleaved ? 2 * i + 1 : i + half;
      const Real c = static_cast<Real>(cosine[i]), s = static_cast<Real>(a.back ? -sine[i] : sine[i]);
      const Real u = static_cast<Real>(x[first]), v = static_cast<Real>(x[second]);
      y[first] = static_cast<Number>(u * c - v * s);
      y[second] = static_cast<Number>(u * s + v * c);
    }
    for (std::int64_t i = a.R; i < a.d; ++i) y[i] = x[i];
  }
}

}  // namespace toy

// The letters of the formulas. Stated once; used by every page.
#pragma once

namespace toy {

/// The length of one axis of a value: a letter, or the product of two.
struct Axis {
  char first;
  char second = 0;
  friend constexpr Axis operator*(Axis a, Axis b) { return {a.first, b.first}; }
};

namespace axes {

inline constexpr Axis T{'T'};  // tokens in the batch
inline constexpr Axis R{'R'};  // rows that are wanted, at most T
inline constexpr Axis D{'D'};  // model width
inline constexpr Axis H{'H'};  // query heads
inline constexpr Axis K{'K'};  // key/value heads
inline constexpr Axis d{'d'};  // head width
inline constexpr Axis F{'F'};  // feed-forward width
inline constexpr Axis V{'V'};  // vocabulary
inline constexpr Axis B{'B'};  // sequences in the batch
inline constexpr Axis S{'S'};  // positions stored, past and now, of all sequences

}  // namespace axes
}  // namespace toy

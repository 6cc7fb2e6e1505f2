// exp of a vector: our own, so that every build of a level gives the same bytes.
#pragma once

#include "toy/tensor/device/cpu/kernels/simd.h"

namespace toy::cpu::TOY_LEVEL {

/// e^x, relative error below 2e-7 for x in [-87, 88]; beyond it stays at the ends of that range. exp(0) is exactly 1,
/// and e^NaN is NaN: of a NaN and a number, max and min take their second argument.
inline vf exp(vf x) {
  x = min(broadcast(88.0f), max(broadcast(-87.0f), x));
  const vf shifter = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const vf n = fma(x, broadcast(1.44269504088896341f), shifter) - shifter;
  vf r = fma(n, broadcast(-0.693145751953125f), x);  // ln 2 in two parts (Cody & Waite)
  r = fma(n, broadcast(-1.428606765330187e-06f), r);
  vf p = broadcast(1.9875691500e-4f);
  p = fma(p, r, broadcast(1.3981999507e-3f));
  p = fma(p, r, broadcast(8.3334519073e-3f));
  p = fma(p, r, broadcast(4.1665795894e-2f));
  p = fma(p, r, broadcast(1.6666665459e-1f));
  p = fma(p, r, broadcast(5.0000001201e-1f));
  p = fma(p, r * r, r) + broadcast(1.0f);
  const vi power = (__builtin_convertvector(n, vi) + 127) << 23;
  return p * reinterpret_cast<vf>(power);
}

/// x / (1 + e^-x)
inline vf silu(vf x) { return x / (broadcast(1.0f) + exp(-x)); }

typedef float quarter __attribute__((vector_size(16)));

/// The lanes of v put together in halves, in a fixed order: f(lower half, upper half) down to one lane.
template <class F>
float fold(vf v, const F& f) {
  quarter parts[lanes / 4];
  __builtin_memcpy(parts, &v, sizeof v);
  for (int half = lanes / 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) parts[i] = f(parts[i], parts[i + half]);
  }
  const quarter four = parts[0];
  const quarter two = f(four, quarter{four[2], four[3], four[2], four[3]});
  return f(two, quarter{two[1], two[1], two[1], two[1]})[0];
}

inline float sum(vf v) {
  return fold(v, [](quarter a, quarter b) { return a + b; });
}

inline float largest(vf v) {
  return fold(v, [](quarter a, quarter b) { return a > b ? a : b; });
}

/// The first n < lanes floats at p; the other lanes are `rest`.
inline vf load_part(const float* p, std::int64_t n, float rest = 0) {
  vf v = broadcast(rest);
  load_first(v, p, n);
  return v;
}

inline void store_part(float* p, vf v, std::int64_t n) { store_first(p, v, n); }

inline vf load_n(const float* p, std::int64_t n) { return n == lanes ? load(p) : load_part(p, n); }
inline void store_n(float* p, vf v, std::int64_t n) { n == lanes ? store(p, v) : store_part(p, v, n); }

/// Asks for the n floats that lie `ahead` behind p; where there is no memory, nothing happens.
inline void fetch_ahead(const float* p, std::int64_t ahead, std::int64_t n) {
  const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(p) + static_cast<std::uintptr_t>(4 * ahead);
  for (std::uintptr_t i = 0; i < static_cast<std::uintptr_t>(4 * n); i += 64) {
    __builtin_prefetch(reinterpret_cast<const void*>(at + i), 0, 2);
    asm volatile("");  // GCC 12 drops the calls of a function that does nothing but ask ahead
  }
}

/// Few floats; a call of the library's copy would take longer.
inline void copy_few(float* to, const float* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += lanes) store_n(to + i, load_n(from + i, min(lanes, n - i)), min(lanes, n - i));
}

}  // namespace toy::cpu::TOY_LEVEL

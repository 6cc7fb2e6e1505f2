// Vectors of one SIMD level, on the compilers' vector extensions. Intrinsics live in this header only.
// Every kernel file is compiled once per level with TOY_LEVEL set to the name of the level's namespace
// (v2, v3, v4, v4_vnni) and the level's -march. Kernels use no function of the standard library that could be
// emitted out of line: the linker keeps one copy of those for all levels.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX512F__)
#define TOY_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define TOY_VECTOR_BYTES 32
#else
#define TOY_VECTOR_BYTES 16
#endif

namespace toy::cpu::TOY_LEVEL {

inline constexpr int vector_bytes = TOY_VECTOR_BYTES;
inline constexpr int lanes = vector_bytes / 4;  // floats in a vector

typedef float vf __attribute__((vector_size(TOY_VECTOR_BYTES)));
typedef std::int32_t vi __attribute__((vector_size(TOY_VECTOR_BYTES)));
typedef float vf_unaligned __attribute__((vector_size(TOY_VECTOR_BYTES), aligned(4), may_alias));

inline vf load(const float* p) { return *reinterpret_cast<const vf_unaligned*>(p); }
inline void store(float* p, vf v) { *reinterpret_cast<vf_unaligned*>(p) = v; }
inline vf broadcast(float x) { return x - vf{}; }
inline std::int64_t min(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

/// a * b + c with one rounding per lane (two on levels without FMA; each level is consistent with itself).
inline vf fma(vf a, vf b, vf c) {
#if defined(__FMA__)
  vf r;
  for (int i = 0; i < lanes; ++i) r[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return r;
#else
  return a * b + c;
#endif
}

}  // namespace toy::cpu::TOY_LEVEL

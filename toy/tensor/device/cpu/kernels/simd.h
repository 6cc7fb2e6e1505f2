// Vectors of one SIMD level, on the compilers' vector extensions. Intrinsics live in this header only.
// Every kernel file is compiled once per level with TOY_LEVEL set to the name of the level's namespace
// (v2, v3, v4, v4_vnni, v4_amx, generic) and the level's -march. Kernels use no function of the standard library that
// could be emitted out of line: the linker keeps one copy of those for all levels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "toy/tensor/device/forms.h"
#include "toy/tensor/ops/dequantize.h"

#if defined(__SSSE3__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define TOY_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define TOY_VECTOR_BYTES 32
#else
#define TOY_VECTOR_BYTES 16
#endif

namespace toy::cpu::TOY_LEVEL {

/// A number that the compiler knows.
template <int value>
struct Known {
  constexpr operator int() const { return value; }  // NOLINT(google-explicit-constructor): it stands for its number
};

/// f(Known<0>), f(Known<1>), ... f(Known<N - 1>): what f indexes with them stays in registers, as it would not for
/// sure in a loop that the compiler unrolls.
template <int N, class F>
[[gnu::always_inline]] inline void unrolled(const F& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) { (f(Known<i>{}), ...); }
  (std::make_integer_sequence<int, N>());
}

inline constexpr int vector_bytes = TOY_VECTOR_BYTES;
inline constexpr int lanes = vector_bytes / 4;  // floats in a vector
/// Added to int8 activations when they are stored: the dot product of VNNI wants one unsigned factor.
#if defined(__AVX512VNNI__)
inline constexpr int int8_offset = 128;
#else
inline constexpr int int8_offset = 0;
#endif

typedef float vf __attribute__((vector_size(TOY_VECTOR_BYTES)));
typedef std::int32_t vi __attribute__((vector_size(TOY_VECTOR_BYTES)));
typedef std::uint32_t vu __attribute__((vector_size(TOY_VECTOR_BYTES)));
typedef std::int8_t vb __attribute__((vector_size(TOY_VECTOR_BYTES)));
// One narrow integer for each lane of a vf.
typedef std::int8_t lane_bytes __attribute__((vector_size(TOY_VECTOR_BYTES / 4)));
typedef std::uint16_t lane_shorts __attribute__((vector_size(TOY_VECTOR_BYTES / 2)));

typedef float vf_unaligned __attribute__((vector_size(TOY_VECTOR_BYTES), aligned(4), may_alias));
typedef std::int32_t vi_unaligned __attribute__((vector_size(TOY_VECTOR_BYTES), aligned(1), may_alias));
typedef std::int8_t lane_bytes_unaligned __attribute__((vector_size(TOY_VECTOR_BYTES / 4), aligned(1), may_alias));
typedef std::uint16_t lane_shorts_unaligned __attribute__((vector_size(TOY_VECTOR_BYTES / 2), aligned(1), may_alias));

inline vf load(const float* p) { return *reinterpret_cast<const vf_unaligned*>(p); }
inline void store(float* p, vf v) { *reinterpret_cast<vf_unaligned*>(p) = v; }
/// The first n < lanes floats at p; the other lanes of v stay.
inline void load_first(vf& v, const float* p, std::int64_t n) {
#if defined(__AVX512F__)
  v = _mm512_mask_loadu_ps(v, static_cast<__mmask16>((1u << n) - 1), p);
#else
  for (std::int64_t i = 0; i < n; ++i) v[i] = p[i];
#endif
}
inline void store_first(float* p, vf v, std::int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
#else
  for (std::int64_t i = 0; i < n; ++i) p[i] = v[i];
#endif
}
inline vi load_bits(const std::byte* p) { return *reinterpret_cast<const vi_unaligned*>(p); }
inline vf broadcast(float x) { return x - vf{}; }
inline std::int64_t min(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
inline std::int64_t max(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

struct Range {
  std::int64_t begin, end;
};
/// Part i of n of [0, whole).
inline Range part(std::int64_t whole, std::int64_t i, std::int64_t n) { return {whole * i / n, whole * (i + 1) / n}; }

/// The four bytes at `p` in every lane.
inline vi broadcast_quad(const std::byte* p) {
  std::int32_t quad;
  __builtin_memcpy(&quad, p, 4);
  return quad + vi{};
}

/// a * b + c with one rounding per lane (two on levels without FMA; each level is consistent with itself).
inline vf fma(vf a, vf b, vf c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}

/// The 32 bits at p in every lane.
inline vf broadcast_cell(const float* p) {
  std::int32_t cell;
  __builtin_memcpy(&cell, p, 4);
  return reinterpret_cast<vf>(cell + vi{});
}

/// Whether multiply-adds of this level can read a factor for all lanes from memory.
#if defined(__AVX512F__)
inline constexpr bool has_forms = true;
#else
inline constexpr bool has_forms = false;
#endif

/// The 32 bits at p as a multiply-add of that form takes them: their address, or a register with them in every lane.
template <Broadcast form>
[[gnu::always_inline]] inline auto factor_at(const float* p) {
#if defined(__AVX512F__)
  if constexpr (form == Broadcast::from_memory) {
    return p;
  } else {
    vf all;
    asm("vbroadcastss %1, %0" : "=v"(all) : "m"(*p));  // the compiler would have multiply-adds read it again
    return all;
  }
#else
  return broadcast_cell(p);
#endif
}

/// sum + a b, into the register of the sum: left to itself, GCC 12 moves the sums of a long loop from register to
/// register and some to the stack.
inline vf fma_onto(vf sum, vf a, vf b) {
#if defined(__AVX512F__)
  asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#elif defined(__FMA__)
  asm("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
  return sum;
#else
  return fma(a, b, sum);
#endif
}
/// The same with the float at b in every lane.
inline vf fma_onto(vf sum, vf a, const float* b) {
#if defined(__AVX512F__)
  asm("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(a), "m"(*b));
  return sum;
#else
  return fma_onto(sum, a, broadcast_cell(b));
#endif
}

/// Per lane a > b ? a : b, and a < b ? a : b: b where one is NaN.
inline vf max(vf a, vf b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(0xFFFF, a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
inline vf min(vf a, vf b) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(0xFFFF, a, b);
#elif defined(__AVX2__)
  return _mm256_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}

/// Rounded correctly on every level.
inline vf square_root(vf v) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(0xFFFF, v);
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(v);
#elif defined(__SSE2__)
  return _mm_sqrt_ps(v);
#else
  for (int i = 0; i < lanes; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

/// Floats as bits, rounded to the nearest bfloat (ties to even) in the upper half; any vector of std::uint32_t.
template <class Bits>
Bits round_to_bfloat(Bits x) {
  return x + 0x7FFFu + ((x >> 16) & 1u);
}

/// sum + the products of both halves of w and x as bfloats, the upper ones first, each product exact and each sum
/// rounded: what vdpbf16ps computes, but for subnormals.
inline vf dot_pairs(vf sum, vf w, vf x) {
  const vu a = reinterpret_cast<vu>(w), b = reinterpret_cast<vu>(x);
  const vu high = vu{} + 0xFFFF0000u;
  sum = fma(reinterpret_cast<vf>(b & high), reinterpret_cast<vf>(a & high), sum);
  return fma(reinterpret_cast<vf>(b << 16), reinterpret_cast<vf>(a << 16), sum);
}

/// True where dot_pairs_fast works.
inline bool has_dot_pairs() {
#if defined(__AVX512VNNI__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

/// Cells of two vectors, those of `low` in the lower halves, as bfloats rounded to nearest even.
inline vf pair_lanes(vf low, vf high) {
  const vu l = round_to_bfloat(reinterpret_cast<vu>(low)) >> 16;
  return reinterpret_cast<vf>(l | (round_to_bfloat(reinterpret_cast<vu>(high)) & 0xFFFF0000u));
}

/// Cells of the neighbours in `first`, then of those in `second`.
template <int... lane>
vf pair_neighbours(vf first, vf second, std::integer_sequence<int, lane...>) {
  return pair_lanes(__builtin_shufflevector(first, second, (2 * lane)...),
                    __builtin_shufflevector(first, second, (2 * lane + 1)...));
}
inline vf pair_neighbours(vf first, vf second) {
  return pair_neighbours(first, second, std::make_integer_sequence<int, lanes>());
}

/// The same by an instruction that processors of this level may lack; subnormals become zero.
inline vf pair_neighbours_fast(vf first, vf second) {
#if defined(__AVX512VNNI__)
  vf cells;
  asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(cells) : "v"(first), "v"(second));
  return cells;
#else
  return pair_neighbours(first, second);
#endif
}
inline vf pair_lanes_fast(vf low, vf high) {
#if defined(__AVX512VNNI__)
  typedef std::int16_t halves __attribute__((vector_size(64)));
  const halves order = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return reinterpret_cast<vf>(_mm512_permutexvar_epi16(reinterpret_cast<__m512i>(order),
                                                       reinterpret_cast<__m512i>(pair_neighbours_fast(low, high))));
#else
  return pair_lanes(low, high);
#endif
}

/// dot_pairs in one instruction, which processors of this level may lack.
inline vf dot_pairs_fast(vf sum, vf w, vf x) {
#if defined(__AVX512VNNI__)
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
  return sum;
#else
  return dot_pairs(sum, w, x);
#endif
}
inline vf dot_pairs_fast(vf sum, vf w, const float* x) {
#if defined(__AVX512VNNI__)
  asm("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(w), "m"(*x));
  return sum;
#else
  return dot_pairs(sum, w, broadcast_cell(x));
#endif
}

inline vf to_float(vi v) { return __builtin_convertvector(v, vf); }

/// One integer per lane, widened to 32 bits. (GCC 12 makes many instructions of __builtin_convertvector here.)
inline vi widen(lane_bytes b) {
#if defined(__AVX512F__)
  return reinterpret_cast<vi>(_mm512_maskz_cvtepi8_epi32(0xFFFF, reinterpret_cast<__m128i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<vi>(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(reinterpret_cast<std::int64_t>(b))));
#else
  return __builtin_convertvector(b, vi);
#endif
}
inline vu widen(lane_shorts s) {
#if defined(__AVX512F__)
  return reinterpret_cast<vu>(_mm512_maskz_cvtepu16_epi32(0xFFFF, reinterpret_cast<__m256i>(s)));
#elif defined(__AVX2__)
  return reinterpret_cast<vu>(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(s)));
#else
  return __builtin_convertvector(s, vu);
#endif
}

/// `lanes` signed bytes.
inline vf load_int8(const std::byte* p) { return to_float(widen(*reinterpret_cast<const lane_bytes_unaligned*>(p))); }

/// `lanes` bfloat16 values.
inline vf load_bfloat(const std::byte* p) {
  return reinterpret_cast<vf>(widen(*reinterpret_cast<const lane_shorts_unaligned*>(p)) << 16);
}

/// IEEE halves as floats, exact.
inline vf widen_halves(lane_shorts half) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtph_ps(0xFFFF, reinterpret_cast<__m256i>(half));
#elif defined(__F16C__)
  return _mm256_cvtph_ps(reinterpret_cast<__m128i>(half));
#else
  const vu h = widen(half);
  // As float bits the half is 2^112 too small, subnormals included; infinity and NaN need the full exponent.
  const vf magnitude = reinterpret_cast<vf>((h & 0x7FFFu) << 13) * 0x1p112f;
  const vu infinite = reinterpret_cast<vu>((h & 0x7C00u) == 0x7C00u) & 0x7F800000u;
  return reinterpret_cast<vf>(reinterpret_cast<vu>(magnitude) | infinite | (h & 0x8000u) << 16);
#endif
}

/// `lanes` IEEE halves.
inline vf load_half(const std::byte* p) { return widen_halves(*reinterpret_cast<const lane_shorts_unaligned*>(p)); }

/// Writes `lanes` floats as IEEE halves, rounded to nearest even.
inline void store_half(std::byte* p, vf v) {
#if defined(__AVX512F__)
  const auto half = reinterpret_cast<lane_shorts>(_mm512_maskz_cvtps_ph(0xFFFF, v, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
  const auto half = reinterpret_cast<lane_shorts>(_mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
#else
  lane_shorts half;
  for (int i = 0; i < lanes; ++i) half[i] = float_to_half(v[i]);
#endif
  __builtin_memcpy(p, &half, sizeof half);
}

/// One IEEE half.
inline float half_to_float(const std::byte* p) {
  lane_shorts half = {};
  __builtin_memcpy(&half, p, 2);
  return widen_halves(half)[0];
}

/// acc + the dot product of four neighbouring bytes in each lane, exact. w: int8; x: int8 in [-127, 127] plus
/// int8_offset, so that the caller subtracts int8_offset * sum(w).
inline vi dot4(vi acc, vi w, vi x) {
#if defined(__AVX512VNNI__)
  return reinterpret_cast<vi>(
      _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(acc), reinterpret_cast<__m512i>(x), reinterpret_cast<__m512i>(w)));
#elif defined(__AVX512BW__)
  const auto weight = reinterpret_cast<__m512i>(w);
  const auto value = reinterpret_cast<__m512i>(x);
  const __m512i signed_value = _mm512_mask_sub_epi8(value, _mm512_movepi8_mask(weight), _mm512_setzero_si512(), value);
  const __m512i pairs = _mm512_maddubs_epi16(_mm512_abs_epi8(weight), signed_value);
  return acc + reinterpret_cast<vi>(_mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#elif defined(__AVX2__)
  const auto weight = reinterpret_cast<__m256i>(w);
  const __m256i pairs =
      _mm256_maddubs_epi16(_mm256_abs_epi8(weight), _mm256_sign_epi8(reinterpret_cast<__m256i>(x), weight));
  return acc + reinterpret_cast<vi>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#elif defined(__SSSE3__)
  const auto weight = reinterpret_cast<__m128i>(w);
  const __m128i pairs = _mm_maddubs_epi16(_mm_abs_epi8(weight), _mm_sign_epi8(reinterpret_cast<__m128i>(x), weight));
  return acc + reinterpret_cast<vi>(_mm_madd_epi16(pairs, _mm_set1_epi16(1)));
#else
  for (int shift = 24; shift >= 0; shift -= 8) acc += ((w << shift) >> 24) * ((x << shift) >> 24);
  return acc;
#endif
}

/// x = 0 as dot4 wants it, four bytes in each lane.
inline vi zero_bytes() { return reinterpret_cast<vi>(vu{} + static_cast<std::uint32_t>(int8_offset) * 0x01010101u); }

/// A cell is what one lane multiplies in one instruction: four bytes with VNNI, two 16-bit integers without.
#if defined(__AVX512VNNI__)
inline constexpr int cell_elements = 4;
#else
inline constexpr int cell_elements = 2;
#endif

/// The largest lane; integers, so that the bits of magnitudes can be compared: those of a NaN are the largest.
inline std::int32_t largest_lane(vi v) {
  typedef std::int32_t quarter __attribute__((vector_size(16)));
  quarter parts[lanes / 4];
  __builtin_memcpy(parts, &v, sizeof v);
  quarter top = parts[0];
  for (int i = 1; i < lanes / 4; ++i) top = parts[i] > top ? parts[i] : top;
  const quarter crossed = {top[2], top[3], top[0], top[1]};
  top = crossed > top ? crossed : top;
  return top[0] > top[1] ? top[0] : top[1];
}

/// 32 integers to bytes.
inline void store_bytes(std::byte* to, const vi (&q)[32 / lanes]) {
#if defined(__AVX512F__)
  for (int i = 0; i < 2; ++i) {
    const __m128i bytes = _mm512_maskz_cvtepi32_epi8(0xFFFF, reinterpret_cast<__m512i>(q[i]));
    _mm_storeu_si128(reinterpret_cast<__m128i_u*>(to + 16 * i), bytes);
  }
#elif defined(__AVX2__)
  const auto shorts = [&](int i) {
    return _mm256_packs_epi32(reinterpret_cast<__m256i>(q[i]), reinterpret_cast<__m256i>(q[i + 1]));
  };
  const __m256i mixed = _mm256_packs_epi16(shorts(0), shorts(2));  // in each half: four of q[0], of q[1], ...
  const __m256i bytes = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(to), bytes);
#else
  for (int i = 0; i < 32; ++i) to[i] = static_cast<std::byte>(q[i / lanes][i % lanes]);
#endif
}

/// 32 int8 values of x as cells: 128 / cell_elements bytes of them.
inline void copy_cells(std::byte* to, const std::byte* from) {
#if defined(__AVX512VNNI__)
  __builtin_memcpy(to, from, 32);
#elif defined(__AVX2__)
  for (int i = 0; i < 2; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(from + 16 * i));
    _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(to + 32 * i), _mm256_cvtepi8_epi16(bytes));
  }
#else
  auto* wide = reinterpret_cast<std::int16_t*>(to);
  for (int i = 0; i < 32; ++i) wide[i] = static_cast<std::int8_t>(from[i]);
#endif
}

/// acc + the dot product of the cells in each lane, exact. x as for dot4, bytes or 16-bit.
inline vi dot_cell(vi acc, vi w, vi x) {
#if defined(__AVX512VNNI__)
  return dot4(acc, w, x);
#elif defined(__AVX512BW__)
  acc += reinterpret_cast<vi>(_mm512_madd_epi16(reinterpret_cast<__m512i>(w), reinterpret_cast<__m512i>(x)));
#elif defined(__AVX2__)
  acc += reinterpret_cast<vi>(_mm256_madd_epi16(reinterpret_cast<__m256i>(w), reinterpret_cast<__m256i>(x)));
#elif defined(__SSE2__)
  acc += reinterpret_cast<vi>(_mm_madd_epi16(reinterpret_cast<__m128i>(w), reinterpret_cast<__m128i>(x)));
#else
  acc += (w >> 16) * (x >> 16) + ((w << 16) >> 16) * ((x << 16) >> 16);
#endif
#if defined(__AVX512F__)
  asm("" : "+v"(acc));  // GCC 12 would do all products first and run out of registers
#elif defined(__SSE2__)
  asm("" : "+x"(acc));
#endif
  return acc;
}

}  // namespace toy::cpu::TOY_LEVEL

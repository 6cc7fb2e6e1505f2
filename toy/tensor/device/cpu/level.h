// One SIMD level: the same kernel sources, compiled for one instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "toy/tensor/device.h"

namespace toy {
template <class Number>
struct LinearArgsOf;
using LinearArgs = LinearArgsOf<float>;
template <class Number>
struct GatherArgsOf;
using GatherArgs = GatherArgsOf<float>;
}  // namespace toy

namespace toy::cpu {

/// Re-lays rows [N, K] as panels of `panel_width` outputs; panels [first, last) of ceil(N / panel_width).
struct PackArgs {
  DType dtype;
  const std::byte* rows;
  std::int64_t N, K;
  std::byte* panels;  // the first panel of the weight
  std::int64_t first, last;
};

struct Level {
  std::string_view name;
  int panel_width;      // outputs per panel; 0: weights stay in rows
  bool (*supported)();  // by this processor
  void (*add_kernels)(KernelTable&);
  void (*pack)(const PackArgs&);   // null when panel_width is 0
  bool (*fast_bf16)();             // products of bfloats take fewer instructions than those of floats
  bool (*has_forms)(MicroKernel);  // in both forms of Broadcast, with the same bytes
  /// Runs a micro-kernel, a microsecond or less for each round, on `trial_floats` floats that hold zeros; returns its
  /// operations, a multiply-add as two. Null where there are none.
  std::int64_t (*run_micro_kernel)(MicroKernel, Broadcast, int rounds, float* memory);
};
inline constexpr std::int64_t trial_floats = 12288;

/// For weights that lie in rows, whatever the level: the plain loops.
void multiply_rows(const LinearArgs& args);
void gather_rows(const GatherArgs& args);

/// The plain loops of every op.
void add_ref_kernels(KernelTable& table);

/// All levels of this build, best first; the last, "ref", is the plain loops and always works.
const std::vector<Level>& levels();

}  // namespace toy::cpu

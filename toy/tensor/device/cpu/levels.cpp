#include "toy/tensor/device/cpu/level.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/linear.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace toy::cpu {

// Each LEVEL(name) of TOY_LEVELS, best first, is compiled from kernels/ (cpu_levels.cmake).
#define LEVEL(name)         \
  namespace name {          \
  extern const Level level; \
  }
TOY_LEVELS
#undef LEVEL

namespace {

Level when(bool (*supported)(), Level level) {
  level.supported = supported;
  return level;
}

#if defined(__x86_64__)
// Features that always come with the ones asked for here (F16C, LZCNT and MOVBE with AVX2) are not asked for.
[[maybe_unused]] bool has_v2() { return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"); }
[[maybe_unused]] bool has_v3() {
  return has_v2() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}
[[maybe_unused]] bool has_v4() {
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
[[maybe_unused]] bool has_v4_vnni() { return has_v4() && __builtin_cpu_supports("avx512vnni"); }

/// Linux saves the registers of 16 x 16 for those who have asked, for the whole process (Documentation/x86/xstate.rst).
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long ask_for_state = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, ask_for_state, tile_data) == 0;
#else
  return false;
#endif
}
[[maybe_unused]] bool has_v4_amx() {
  if (!has_v4_vnni() || !__builtin_cpu_supports("avx512bf16")) return false;
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned amx_bf16 = 1U << 22, amx_tile = 1U << 24;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & amx_bf16) == 0 || (d & amx_tile) == 0) return false;
  return may_use_tiles();
}
#else
bool has_generic() { return true; }
#endif

bool always() { return true; }
bool never() { return false; }
bool no_forms(MicroKernel) { return false; }

}  // namespace

const std::vector<Level>& levels() {
  static const std::vector<Level> all = {
#define LEVEL(name) when(&has_##name, name::level),
      TOY_LEVELS
#undef LEVEL
      {"ref", 0, &always, &add_ref_kernels, nullptr, &never, &no_forms, nullptr},
  };
  return all;
}

void multiply_rows(const LinearArgs& a) {
  LinearArgs rest = a;
  rest.count = 0;
  for (const auto& out : std::span(a.outputs).first(static_cast<std::size_t>(a.count))) {
    if (out.layout == Layout::rows) rest.outputs[static_cast<std::size_t>(rest.count++)] = out;
  }
  linear_ref<float>(rest);
}

void gather_rows(const GatherArgs& a) { gather_ref<float>(a); }

}  // namespace toy::cpu

#include "toy/tensor/device/cpu/tuning.h"

#include <algorithm>
#include <chrono>
#include <new>

namespace toy::cpu {

namespace {

constexpr std::array kernels{MicroKernel::packed_f32, MicroKernel::packed_bf16, MicroKernel::panel_f32,
                             MicroKernel::attention, MicroKernel::attention_backward};
static_assert(kernels.size() == micro_kernel_names.size());

double speed_now(const Level& level, MicroKernel kernel, Broadcast form, float* memory) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const std::int64_t operations = level.run_micro_kernel(kernel, form, memory);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return static_cast<double>(operations) / std::max(seconds, 1e-9);
}

}  // namespace

bool has_forms(const Level& level) { return std::ranges::any_of(kernels, level.has_forms); }

std::vector<MicroKernelSpeed> micro_kernel_speeds(const Level& level, int trials) {
  std::vector<MicroKernelSpeed> speeds;
  if (level.run_micro_kernel == nullptr) return speeds;
  for (const MicroKernel kernel : kernels) {
    if (level.has_forms(kernel)) speeds.push_back({kernel, Broadcast::from_memory, 0});
    speeds.push_back({kernel, Broadcast::in_register, 0});
  }
  struct alignas(64) Line {
    std::array<float, 16> floats{};
  };
  std::vector<Line> memory(trial_floats / 16);
  for (int trial = 0; trial < trials; ++trial) {
    for (MicroKernelSpeed& s : speeds) {
      s.operations_per_second =
          std::max(s.operations_per_second, speed_now(level, s.kernel, s.form, memory.front().floats.data()));
    }
  }
  return speeds;
}

Forms fastest_forms(const Level& level) {
  constexpr int trials = 24;
  Forms forms;
  if (!has_forms(level)) return forms;
  std::array<double, kernels.size()> best{};
  for (const MicroKernelSpeed& s : micro_kernel_speeds(level, trials)) {
    double& speed = best[static_cast<std::size_t>(s.kernel)];
    if (s.operations_per_second > speed) forms.set(s.kernel, s.form);
    speed = std::max(speed, s.operations_per_second);
  }
  return forms;
}

}  // namespace toy::cpu

#include "toy/tensor/device/cpu/tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace toy::cpu {

namespace {

constexpr std::array kernels{MicroKernel::packed_f32, MicroKernel::packed_bf16, MicroKernel::panel_f32,
                             MicroKernel::attention, MicroKernel::attention_backward};
static_assert(kernels.size() == micro_kernel_names.size());

double speed_now(const Level& level, MicroKernel kernel, Broadcast form, int rounds, float* memory) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const std::int64_t operations = level.run_micro_kernel(kernel, form, rounds, memory);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return static_cast<double>(operations) / std::max(seconds, 1e-9);
}

}  // namespace

bool has_forms(const Level& level) { return std::ranges::any_of(kernels, level.has_forms); }

std::vector<MicroKernelSpeed> micro_kernel_speeds(const Level& level, int trials, int rounds) {
  std::vector<MicroKernelSpeed> speeds;
  if (level.run_micro_kernel == nullptr) return speeds;
  for (const MicroKernel kernel : kernels) {
    speeds.push_back({kernel, Broadcast::in_register, 0});
    if (level.has_forms(kernel)) speeds.push_back({kernel, Broadcast::from_memory, 0});
  }
  struct alignas(64) Line {
    std::array<float, 16> floats{};
  };
  std::vector<Line> memory(trial_floats / 16);
  for (int trial = 0; trial < trials; ++trial) {
    for (MicroKernelSpeed& s : speeds) {
      s.operations_per_second =
          std::max(s.operations_per_second, speed_now(level, s.kernel, s.form, rounds, memory.front().floats.data()));
    }
  }
  return speeds;
}

Forms fastest_forms(const Level& level) {
  constexpr int trials = 12, rounds = 4;
  constexpr double clearly = 1.05;  // beyond what a busy machine feigns
  Forms forms;
  if (!has_forms(level)) return forms;
  std::array<double, kernels.size()> in_register{};
  for (const MicroKernelSpeed& s : micro_kernel_speeds(level, trials, rounds)) {
    double& speed = in_register[static_cast<std::size_t>(s.kernel)];
    if (s.form == Broadcast::in_register) speed = s.operations_per_second;
    if (s.form == Broadcast::from_memory && s.operations_per_second > clearly * speed) forms.set(s.kernel, s.form);
  }
  return forms;
}

std::string forms_text(const Level& level, const Forms& forms) {
  std::array<std::vector<std::string_view>, broadcast_names.size()> of_form;
  for (const MicroKernel kernel : kernels) {
    if (!level.has_forms(kernel)) continue;
    of_form[static_cast<std::size_t>(forms[kernel])].push_back(micro_kernel_names[static_cast<std::size_t>(kernel)]);
  }
  const std::size_t rare = of_form[0].size() <= of_form[1].size() ? 0 : 1;
  if (of_form[1 - rare].empty()) return {};
  if (of_form[rare].empty()) return std::string(broadcast_names[1 - rare]);
  return fmt::format("{} for {}, {} for the others", broadcast_names[rare], fmt::join(of_form[rare], ", "),
                     broadcast_names[1 - rare]);
}

}  // namespace toy::cpu

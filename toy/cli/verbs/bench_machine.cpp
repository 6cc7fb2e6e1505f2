#include "toy/cli/verbs/bench_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/model_options.h"
#include "toy/io/plural.h"
#include "toy/tensor/device/cpu/machine.h"
#include "toy/tensor/device/cpu/tuning.h"

namespace toy::cli {

namespace {

/// What one level reaches here, in operations per second.
struct LevelSpeeds {
  std::string name;
  double one_core, all_threads;  // peaks in f32
  std::vector<cpu::MicroKernelSpeed> kernels;
  std::vector<bool> chosen;  // whether the program computes like that
  std::string forms;
};

/// The best of some rounds, in which peaks and micro-kernels take turns: the clock of a processor rises and falls.
LevelSpeeds measure(const std::string& name, const std::string& wanted, int threads) {
  constexpr int rounds = 10, trials = 20, rounds_of_trial = 50;
  const CpuDevice device({.threads = 1, .simd_level = wanted});
  const cpu::Level& level = device.level();
  const Forms& forms = device.team().forms();
  LevelSpeeds s{name, 0, 0, {}, {}, forms_text(level, forms)};
  for (int round = 0; round < rounds; ++round) {
    s.one_core = std::max(s.one_core, cpu::f32_peak(1, name));
    s.all_threads = std::max(s.all_threads, cpu::f32_peak(threads, name));
    const std::vector<cpu::MicroKernelSpeed> now = micro_kernel_speeds(level, trials, rounds_of_trial);
    if (s.kernels.empty()) s.kernels = now;
    for (std::size_t i = 0; i < now.size(); ++i) {
      double& best = s.kernels[i].operations_per_second;
      best = std::max(best, now[i].operations_per_second);
    }
  }
  for (const cpu::MicroKernelSpeed& k : s.kernels) {
    s.chosen.push_back(!level.has_forms(k.kernel) || forms[k.kernel] == k.form);
  }
  return s;
}

std::string_view name_of(MicroKernel kernel) { return micro_kernel_names[static_cast<std::size_t>(kernel)]; }
std::string_view name_of(Broadcast form) { return broadcast_names[static_cast<std::size_t>(form)]; }

Json level_json(const LevelSpeeds& s) {
  Json kernels = Json::array();
  for (std::size_t i = 0; i < s.kernels.size(); ++i) {
    const cpu::MicroKernelSpeed& k = s.kernels[i];
    kernels.push_back({{"kernel", name_of(k.kernel)},
                       {"form", name_of(k.form)},
                       {"gigaflops", k.operations_per_second * 1e-9},
                       {"of_peak", k.operations_per_second / s.one_core},
                       {"chosen", static_cast<bool>(s.chosen[i])}});
  }
  return {{"simd", s.name},
          {"f32_gigaflops_one_core", s.one_core * 1e-9},
          {"f32_gigaflops", s.all_threads * 1e-9},
          {"micro_kernels", kernels}};
}

/// One line for each micro-kernel: its share of the peak in each form, and the chosen one where there are two.
std::vector<std::vector<std::string>> rows_of(const LevelSpeeds& s) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < s.kernels.size(); ++i) {
    const cpu::MicroKernelSpeed& k = s.kernels[i];
    if (rows.empty() || rows.back()[1] != name_of(k.kernel)) {
      rows.push_back({s.name, std::string(name_of(k.kernel)), "-", "-", "-"});
    }
    const double share = k.operations_per_second / s.one_core;
    rows.back()[k.form == Broadcast::in_register ? 2 : 3] = fmt::format("{:.0f} %", 100 * share);
    if (k.form == Broadcast::from_memory) rows.back()[4] = name_of(s.chosen[i] ? k.form : Broadcast::in_register);
  }
  return rows;
}

}  // namespace

void bench_machine(const Arguments& a, int threads, Console& console) {
  const std::string wanted = simd_level(a);
  std::vector<LevelSpeeds> levels;
  for (const std::string_view level : cpu_levels()) {
    const std::string name(level), only = wanted.substr(0, wanted.find(':'));
    if (wanted.empty() ? name != "ref" : only == name)
      levels.push_back(measure(name, wanted.empty() ? name : wanted, threads));
  }
  const double bandwidth = cpu::ReadBandwidth()(threads);
  if (a.has("--json")) {
    Json list = Json::array();
    for (const LevelSpeeds& s : levels) list.push_back(level_json(s));
    return console.print(line_of({{"processor", cpu::processor_name()},
                                  {"physical_cores", physical_cores()},
                                  {"threads", threads},
                                  {"read_gigabytes_per_second", bandwidth * 1e-9},
                                  {"levels", list}}));
  }
  console.print("{}, {} physical {}; {} {} read {:.1f} GB/s\n\n", one_line(cpu::processor_name()), physical_cores(),
                plural(physical_cores(), "core"), threads, plural(threads, "thread"), bandwidth * 1e-9);
  std::vector<std::vector<std::string>> peaks{
      {"level", "f32 peak of a core", fmt::format("of {} {}", threads, plural(threads, "thread")), "form"}};
  std::vector<std::vector<std::string>> shares{{"level", "micro-kernel", "register", "memory", "chosen"}};
  for (const LevelSpeeds& s : levels) {
    peaks.push_back({s.name, fmt::format("{:.0f} GFLOP/s", s.one_core * 1e-9),
                     fmt::format("{:.0f} GFLOP/s", s.all_threads * 1e-9), s.forms.empty() ? "-" : s.forms});
    std::ranges::move(rows_of(s), std::back_inserter(shares));
  }
  console.print(table(peaks, "lrrl"));
  if (shares.size() == 1) return;
  console.print("\nOperations of a micro-kernel in its form, of the level's f32 peak of a core:\n" +
                table(shares, "llrrl"));
}

JsonForm bench_machine_json() {
  return {"--machine",
          {{"processor", "string", ""},
           {"physical_cores", "integer", ""},
           {"threads", "integer", "of what is measured together"},
           {"read_gigabytes_per_second", "number", "of all threads"},
           {"levels", "array", "SIMD levels, best first"},
           {"levels[]", "object", ""},
           {"levels[].simd", "string", ""},
           {"levels[].f32_gigaflops_one_core", "number", "multiply-adds on registers"},
           {"levels[].f32_gigaflops", "number", "of all threads together"},
           {"levels[].micro_kernels", "array", "each in each of its forms, data in cache, one thread"},
           {"levels[].micro_kernels[]", "object", "", false},
           {"levels[].micro_kernels[].kernel", "string", "", false},
           {"levels[].micro_kernels[].form", "string", "how it gets its factor: register or memory", false},
           {"levels[].micro_kernels[].gigaflops", "number", "", false},
           {"levels[].micro_kernels[].of_peak", "number", "of f32_gigaflops_one_core; bf16 may exceed 1", false},
           {"levels[].micro_kernels[].chosen", "boolean", "whether the program computes so", false}}};
}

}  // namespace toy::cli

// What --resume names, and how it goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/train/run.h"

namespace toy::cli {

struct Resumed {
  std::filesystem::path folder;
  std::optional<std::int64_t> step{};  // of the checkpoint whose file was named
};

/// A run's id in --out, its folder, or a file of one of its checkpoints. Errors: it is none of these.
Resumed resumed_of(const Arguments& arguments);

/// The device that the run had, unless the arguments say otherwise.
CpuOptions resumed_cpu_options(const Arguments& arguments, const Resumed& resumed);

/// Goes on after its newest checkpoint; says so if the SIMD level is not that of before, or not the best. From an older
/// one that was named it begins a new run beside it, or in --out.
Run resume_run(const Arguments& arguments, const Resumed& resumed, CpuDevice& device, const Console& console);

}  // namespace toy::cli

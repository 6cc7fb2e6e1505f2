// How fast a level's micro-kernels are on this machine, in each form, and which form is the fastest.
#pragma once

#include <string>
#include <vector>

#include "toy/tensor/device/cpu/level.h"

namespace toy::cpu {

/// Whether any micro-kernel of the level has both forms.
bool has_forms(const Level& level);

/// One micro-kernel in one form, its data in the nearest caches.
struct MicroKernelSpeed {
  MicroKernel kernel;
  Broadcast form;
  double operations_per_second;  // of one thread; a multiply-add is two
};

/// All micro-kernels of a level in the forms that they have; the best of `trials` runs of so many rounds of about
/// a microsecond, the kernels and forms in turn, so that a moment in which the machine does something else falls on
/// all. Empty for a level without micro-kernels.
std::vector<MicroKernelSpeed> micro_kernel_speeds(const Level& level, int trials, int rounds);

/// For each micro-kernel with both forms the faster one: in registers unless memory is clearly faster. Takes a few
/// hundred microseconds.
Forms fastest_forms(const Level& level);

/// "register", or "memory for packed f32 tile, register for the others"; empty for a level without forms.
std::string forms_text(const Level& level, const Forms& forms);

}  // namespace toy::cpu

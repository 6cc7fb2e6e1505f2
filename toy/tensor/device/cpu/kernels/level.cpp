// Compiled once per SIMD level, with TOY_LEVEL and the level's -march.
#include "toy/tensor/device/cpu/kernels/gather.h"
#include "toy/tensor/device/cpu/kernels/other.h"
#include "toy/tensor/device/cpu/kernels/pack.h"
#include "toy/tensor/device/cpu/kernels/product.h"

namespace toy::cpu::TOY_LEVEL {

namespace {

void add_kernels(KernelTable& table) {
  table.set<LinearArgs>(&linear);
  table.set<GatherArgs>(&gather);
  add_other_kernels(table);
  add_training_kernels(table);
}

void pack_panels(const PackArgs& args) { pack(args); }

}  // namespace

// Data only: code of this file must not run before the processor has been asked.
extern constinit const Level level{TOY_LEVEL_NAME, panel_width, nullptr, &add_kernels, &pack_panels, &has_dot_pairs};

}  // namespace toy::cpu::TOY_LEVEL

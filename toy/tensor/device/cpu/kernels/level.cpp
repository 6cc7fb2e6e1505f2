// One SIMD level. It and the sources named in register.h are compiled once per level, with TOY_LEVEL and its -march.
#include "toy/tensor/device/cpu/kernels/panels.h"
#include "toy/tensor/device/cpu/kernels/register.h"

namespace toy::cpu::TOY_LEVEL {

namespace {

void add_kernels(KernelTable& table) {
  add_product_kernels(table);
  add_packed_product_kernels(table);
  add_attention_kernels(table);
  add_attention_backward_kernels(table);
  add_row_kernels(table);
}

}  // namespace

// Data only: code of this file must not run before the processor has been asked.
extern constinit const Level level{TOY_LEVEL_NAME, panel_width, nullptr, &add_kernels, &pack_panels, &has_dot_pairs};

}  // namespace toy::cpu::TOY_LEVEL

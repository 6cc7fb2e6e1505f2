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

std::int64_t run_micro_kernel(MicroKernel kernel, Broadcast form, int rounds, float* memory) {
  switch (kernel) {
    case MicroKernel::packed_f32:
      return run_packed_tile(form, false, rounds, memory);
    case MicroKernel::packed_bf16:
      return run_packed_tile(form, true, rounds, memory);
    case MicroKernel::panel_f32:
      return run_panel_tile(form, rounds, memory);
    case MicroKernel::attention:
      return run_attention_tiles(form, rounds, memory);
    default:
      return run_attention_backward_tiles(form, rounds, memory);
  }
}

/// Whether packed bfloats are multiplied by an instruction that can read a factor from memory.
bool bf16_has_forms() {
#if defined(__AMX_BF16__)
  return false;
#else
  return has_dot_pairs();
#endif
}

bool has_forms_of(MicroKernel kernel) { return has_forms && (kernel != MicroKernel::packed_bf16 || bf16_has_forms()); }

}  // namespace

// Data only: code of this file must not run before the processor has been asked.
extern constinit const Level level{TOY_LEVEL_NAME, panel_width,    nullptr,       &add_kernels,
                                   &pack_panels,   &has_dot_pairs, &has_forms_of, &run_micro_kernel};

}  // namespace toy::cpu::TOY_LEVEL

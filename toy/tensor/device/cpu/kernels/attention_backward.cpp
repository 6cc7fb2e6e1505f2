// The gradients of attention.
#include "toy/tensor/device/cpu/kernels/attention_backward.h"

#include "toy/tensor/device/cpu/kernels/register.h"

namespace toy::cpu::TOY_LEVEL {

void add_attention_backward_kernels(KernelTable& table) { table.set<AttentionBackwardArgs>(&attention_backward); }

std::int64_t run_attention_backward_tiles(Broadcast form, int rounds, float* memory) {
  constexpr std::int64_t d = 64;
  float *keys = memory, *q = keys + d * block, *p = q + d * most_rows, *dq = p + tile_height * block;
  for (int i = 0; i < rounds; ++i) {
    multiply_small<turned_rows>(q, keys, block, tile_height, block, d, p, block, false, form);
    multiply_small<weights>(p, keys, d, tile_height, d, block, dq, d, false, form);
  }
  return rounds * 2 * 2 * tile_height * d * block;
}

}  // namespace toy::cpu::TOY_LEVEL

// Attention, and the storing of its keys and values.
#include "toy/tensor/device/cpu/kernels/attention.h"

#include "toy/tensor/device/cpu/kernels/append.h"
#include "toy/tensor/device/cpu/kernels/register.h"

namespace toy::cpu::TOY_LEVEL {

void add_attention_kernels(KernelTable& table) {
  table.set<AppendArgs>(&append);
  table.set<AttentionArgs>(&attention);
}

std::int64_t run_attention_tiles(Broadcast form, int rounds, float* memory) {
  constexpr std::int64_t d = 64, rows = 6;
  float *keys = memory, *values = keys + d * block, *q = values + d * block, *p = q + rows * d, *o = p + rows * block;
  const float* q_rows[rows];
  for (std::int64_t r = 0; r < rows; ++r) q_rows[r] = q + r * d;
  const float keep[rows] = {};
  for (int i = 0; i < rounds; ++i) {
    with_form<rows>(form, [&]<Broadcast one>() {
      scores_tile<rows, one>(q_rows, Floats{keys, block}, d, block, p);
      values_tile<rows, one>(p, Floats{values, d}, block, keep, o);
    });
  }
  return rounds * 2 * 2 * rows * d * block;
}

}  // namespace toy::cpu::TOY_LEVEL

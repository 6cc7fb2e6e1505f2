// Attention, and the storing of its keys and values.
#include "toy/tensor/device/cpu/kernels/attention.h"

#include "toy/tensor/device/cpu/kernels/append.h"
#include "toy/tensor/device/cpu/kernels/register.h"

namespace toy::cpu::TOY_LEVEL {

void add_attention_kernels(KernelTable& table) {
  table.set<AppendArgs>(&append);
  table.set<AttentionArgs>(&attention);
}

}  // namespace toy::cpu::TOY_LEVEL

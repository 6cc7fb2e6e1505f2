// The gradients of attention.
#include "toy/tensor/device/cpu/kernels/attention_backward.h"

#include "toy/tensor/device/cpu/kernels/register.h"

namespace toy::cpu::TOY_LEVEL {

void add_attention_backward_kernels(KernelTable& table) { table.set<AttentionBackwardArgs>(&attention_backward); }

}  // namespace toy::cpu::TOY_LEVEL

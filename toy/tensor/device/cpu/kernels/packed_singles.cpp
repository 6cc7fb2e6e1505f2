// Packed products in floats.
#include "toy/tensor/device/cpu/kernels/packed_trial.h"
#include "toy/tensor/device/cpu/kernels/register.h"

namespace toy::cpu::TOY_LEVEL {

CellWork work_in_singles() { return work_in<Singles>; }

std::int64_t run_single_tile(Broadcast form, int rounds, float* memory) {
  return run_tile<Singles>(form, rounds, memory);
}

}  // namespace toy::cpu::TOY_LEVEL

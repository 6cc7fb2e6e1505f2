// Packed products in pairs of bfloats, or in tiles of them.
#include "toy/tensor/device/cpu/kernels/packed_trial.h"
#include "toy/tensor/device/cpu/kernels/register.h"

namespace toy::cpu::TOY_LEVEL {

CellWork work_in_pairs() {
  if constexpr (has_tiles) {
    return work_in<Tiles>;
  } else {
    return has_dot_pairs() ? work_in<FastPairs> : work_in<Pairs>;
  }
}

std::int64_t run_pair_tile(Broadcast form, int rounds, float* memory) {
  if constexpr (has_tiles) {
    return run_tile<Tiles>(form, rounds, memory);
  } else {
    return has_dot_pairs() ? run_tile<FastPairs>(form, rounds, memory) : run_tile<Pairs>(form, rounds, memory);
  }
}

}  // namespace toy::cpu::TOY_LEVEL

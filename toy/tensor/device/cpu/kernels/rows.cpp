// Kernels that work element by element or row by row, forward and backward, and the updates of parameters.
#include "toy/tensor/device/cpu/kernels/rows.h"

#include "toy/tensor/device/cpu/kernels/backward.h"
#include "toy/tensor/device/cpu/kernels/register.h"

namespace toy::cpu::TOY_LEVEL {

void add_row_kernels(KernelTable& table) {
  table.set<AddArgs>(&add);
  table.set<SwigluArgs>(&swiglu);
  table.set<GeluArgs>(&gelu);
  table.set<RmsNormArgs>(&rms_norm);
  table.set<LayerNormArgs>(&layer_norm);
  table.set<RopeArgs>(&rope);
  table.set<LogSoftmaxArgs>(&log_softmax);
  table.set<SwigluBackwardArgs>(&swiglu_backward);
  table.set<GeluBackwardArgs>(&gelu_backward);
  table.set<RmsNormBackwardArgs>(&rms_norm_backward);
  table.set<LayerNormBackwardArgs>(&layer_norm_backward);
  table.set<CrossEntropyArgs>(&cross_entropy);
  table.set<ScatterAddArgs>(&scatter_add);
  table.set<ScaleArgs>(&scale);
  table.set<SquaresArgs>(&squares);
  table.set<AdamUpdateArgs>(&adam_update);
}

}  // namespace toy::cpu::TOY_LEVEL

// All kernels of a level but the product and the gather. What is missing here keeps its plain loop.
#pragma once

#include "toy/tensor/device/cpu/kernels/append.h"
#include "toy/tensor/device/cpu/kernels/attention.h"
#include "toy/tensor/device/cpu/kernels/rows.h"

namespace toy::cpu::TOY_LEVEL {

inline void add_other_kernels(KernelTable& table) {
  table.set<AddArgs>(&add);
  table.set<SwigluArgs>(&swiglu);
  table.set<GeluArgs>(&gelu);
  table.set<RmsNormArgs>(&rms_norm);
  table.set<LayerNormArgs>(&layer_norm);
  table.set<RopeArgs>(&rope);
  table.set<AppendArgs>(&append);
  table.set<AttentionArgs>(&attention);
  table.set<LogSoftmaxArgs>(&log_softmax);
}

}  // namespace toy::cpu::TOY_LEVEL

// All kernels of a level but the product and the gather. What is missing here keeps its plain loop.
#pragma once

#include "toy/tensor/device/cpu/kernels/append.h"
#include "toy/tensor/device/cpu/kernels/attention.h"
#include "toy/tensor/device/cpu/kernels/attention_backward.h"
#include "toy/tensor/device/cpu/kernels/backward.h"
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

/// What only training needs.
inline void add_training_kernels(KernelTable& table) {
  table.set<LinearBackwardArgs>(&linear_backward);
  table.set<AttentionBackwardArgs>(&attention_backward);
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

// The plain loops of the ops' files as kernels, summing in double: the level "ref".
#include "toy/tensor/device/cpu/level.h"
#include "toy/tensor/ops/activation.h"
#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/attention.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/linear.h"
#include "toy/tensor/ops/norm.h"
#include "toy/tensor/ops/rope.h"
#include "toy/tensor/ops/softmax.h"

namespace toy::cpu {

void add_ref_kernels(KernelTable& table) {
  table.set<AddArgs>([](const AddArgs& a, const Team&) { add_ref<double>(a); });
  table.set<GatherArgs>([](const GatherArgs& a, const Team&) { gather_ref<double>(a); });
  table.set<RmsNormArgs>([](const RmsNormArgs& a, const Team&) { rms_norm_ref<double>(a); });
  table.set<LayerNormArgs>([](const LayerNormArgs& a, const Team&) { layer_norm_ref<double>(a); });
  table.set<LinearArgs>([](const LinearArgs& a, const Team&) { linear_ref<double>(a); });
  table.set<SwigluArgs>([](const SwigluArgs& a, const Team&) { swiglu_ref<double>(a); });
  table.set<GeluArgs>([](const GeluArgs& a, const Team&) { gelu_ref<double>(a); });
  table.set<AnglesArgs>([](const AnglesArgs& a, const Team&) { angles_ref<double>(a); });
  table.set<RopeArgs>([](const RopeArgs& a, const Team&) { rope_ref<double>(a); });
  table.set<AppendArgs>([](const AppendArgs& a, const Team&) { append_ref(a); });
  table.set<AttentionArgs>([](const AttentionArgs& a, const Team&) { attention_ref<double>(a); });
  table.set<LogSoftmaxArgs>([](const LogSoftmaxArgs& a, const Team&) { log_softmax_ref<double>(a); });
}

}  // namespace toy::cpu

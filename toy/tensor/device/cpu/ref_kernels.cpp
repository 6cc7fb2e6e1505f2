// The plain loops of the ops' files as kernels: the level "ref" on F32, and every level on F64.
#include "toy/tensor/device/cpu/level.h"
#include "toy/tensor/ops/activation.h"
#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/attention.h"
#include "toy/tensor/ops/causal_conv.h"
#include "toy/tensor/ops/cross_entropy.h"
#include "toy/tensor/ops/elementwise.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/layout.h"
#include "toy/tensor/ops/linear.h"
#include "toy/tensor/ops/matmul.h"
#include "toy/tensor/ops/norm.h"
#include "toy/tensor/ops/reduce.h"
#include "toy/tensor/ops/rope.h"
#include "toy/tensor/ops/softmax.h"
#include "toy/tensor/ops/update.h"

namespace toy::cpu {

namespace {

/// Makes the loop `ref` the kernel of Args.
template <class Args, void (*ref)(const Args&)>
void set(KernelTable& table) {
  table.set<Args>([](const Args& a, const Team&) { ref(a); });
}

template <class Number>
void add_elementwise(KernelTable& table) {
  set<AddArgsOf<Number>, add_ref<double, Number>>(table);
  set<SubArgsOf<Number>, sub_ref<Number>>(table);
  set<MulArgsOf<Number>, mul_ref<Number>>(table);
  set<DivArgsOf<Number>, div_ref<Number>>(table);
  set<BroadcastArgsOf<Number>, broadcast_ref<Number>>(table);
  set<NegArgsOf<Number>, map_ref<NegArgsOf<Number>>>(table);
  set<ExpArgsOf<Number>, map_ref<ExpArgsOf<Number>>>(table);
  set<LogArgsOf<Number>, map_ref<LogArgsOf<Number>>>(table);
  set<SqrtArgsOf<Number>, map_ref<SqrtArgsOf<Number>>>(table);
  set<SigmoidArgsOf<Number>, map_ref<SigmoidArgsOf<Number>>>(table);
  set<SoftplusArgsOf<Number>, map_ref<SoftplusArgsOf<Number>>>(table);
  set<TanhArgsOf<Number>, map_ref<TanhArgsOf<Number>>>(table);
  set<ScaleArgsOf<Number>, scale_ref<Number>>(table);
  set<SwigluArgsOf<Number>, swiglu_ref<double, Number>>(table);
  set<SwigluBackwardArgsOf<Number>, swiglu_backward_ref<Number>>(table);
  set<GeluArgsOf<Number>, gelu_ref<double, Number>>(table);
  set<GeluBackwardArgsOf<Number>, gelu_backward_ref<Number>>(table);
}

template <class Number>
void add_layouts(KernelTable& table) {
  table.set<SumArgsOf<Number>>([](const SumArgsOf<Number>& a, const Team&) { sum_ref(a); });
  set<MeanArgsOf<Number>, mean_ref<Number>>(table);
  set<SumToArgsOf<Number>, sum_to_ref<Number>>(table);
  set<TransposeArgsOf<Number>, transpose_ref<Number>>(table);
  table.set<SliceArgsOf<Number>>([](const SliceArgsOf<Number>& a, const Team&) { copy_blocks_ref<Number>(a); });
  table.set<PlaceArgsOf<Number>>([](const PlaceArgsOf<Number>& a, const Team&) { copy_blocks_ref<Number>(a); });
  table.set<ConcatArgsOf<Number>>([](const ConcatArgsOf<Number>& a, const Team&) { copy_blocks_ref<Number>(a); });
  set<RepeatArgsOf<Number>, repeat_ref<Number>>(table);
  set<GatherArgsOf<Number>, gather_ref<double, Number>>(table);
  set<ScatterAddArgsOf<Number>, scatter_add_ref<Number>>(table);
}

template <class Number>
void add_blocks(KernelTable& table) {
  set<RmsNormArgsOf<Number>, rms_norm_ref<double, Number>>(table);
  set<RmsNormBackwardArgsOf<Number>, rms_norm_backward_ref<Number>>(table);
  set<LayerNormArgsOf<Number>, layer_norm_ref<double, Number>>(table);
  set<LayerNormBackwardArgsOf<Number>, layer_norm_backward_ref<Number>>(table);
  set<L2NormArgsOf<Number>, l2_norm_ref<Number>>(table);
  set<LinearArgsOf<Number>, linear_ref<double, Number>>(table);
  set<LinearBackwardArgsOf<Number>, linear_backward_ref<Number>>(table);
  set<MatmulArgsOf<Number>, matmul_ref<Number>>(table);
  set<RopeArgsOf<Number>, rope_ref<double, Number>>(table);
  set<AttentionArgsOf<Number>, attention_ref<double, Number>>(table);
  set<AttentionBackwardArgsOf<Number>, attention_backward_ref<Number>>(table);
  set<CausalConvArgsOf<Number>, causal_conv_ref<Number>>(table);
  set<CausalConvBackwardArgsOf<Number>, causal_conv_backward_ref<Number>>(table);
  set<SoftmaxArgsOf<Number>, softmax_ref<Number>>(table);
  set<LogSoftmaxArgsOf<Number>, log_softmax_ref<double, Number>>(table);
  set<CrossEntropyArgsOf<Number>, cross_entropy_ref<Number>>(table);
  set<SquaresArgsOf<Number>, squares_ref<Number>>(table);
  set<SgdUpdateArgsOf<Number>, sgd_update_ref<Number>>(table);
  set<RmsPropUpdateArgsOf<Number>, rmsprop_update_ref<Number>>(table);
  set<AdamUpdateArgsOf<Number>, adam_update_ref<Number>>(table);
}

}  // namespace

void add_ref_kernels(KernelTable& table) {
  add_elementwise<float>(table);
  add_elementwise<double>(table);
  add_layouts<float>(table);
  add_layouts<double>(table);
  add_blocks<float>(table);
  add_blocks<double>(table);
  set<AnglesArgs, angles_ref<double>>(table);
  set<AppendArgs, append_ref>(table);
}

}  // namespace toy::cpu

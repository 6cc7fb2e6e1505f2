#include "toy/nn/mlp.h"

#include "toy/tensor/ops/activation.h"

namespace toy {

using namespace axes;

/// y = (silu(x Wgate) * (x Wup)) Wdown
Tensor SwiGLU::forward(const Tensor& x, Context& ctx) const {
  const auto scope = ctx.scope("ffn");
  const auto [gate, up] = linear(x, ffn_gate, ffn_up);
  const Tensor hidden = ctx.expect("hidden", swiglu(gate, up), {T, F});
  return ctx.expect("y", ffn_down(hidden), {T, D});
}

void SwiGLU::list(Visitor& v) {
  v("ffn_gate", ffn_gate);
  v("ffn_up", ffn_up);
  v("ffn_down", ffn_down);
}

/// y = gelu(x Wup + bup) Wdown + bdown
Tensor GeluMlp::forward(const Tensor& x, Context& ctx) const {
  const auto scope = ctx.scope("ffn");
  const Tensor hidden = ctx.expect("hidden", gelu(ffn_up(x)), {T, F});
  return ctx.expect("y", ffn_down(hidden), {T, D});
}

void GeluMlp::list(Visitor& v) {
  v("ffn_up", ffn_up);
  v("ffn_down", ffn_down);
}

}  // namespace toy

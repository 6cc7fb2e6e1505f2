// The feed-forward blocks.
#pragma once

#include "toy/nn/context.h"
#include "toy/nn/linear.h"
#include "toy/nn/module.h"

namespace toy {

/// y = (silu(x Wgate) * (x Wup)) Wdown (Shazeer 2020, eq. 6).
class SwiGLU final : public Module {
 public:
  /// D: model width, F: feed-forward width.
  SwiGLU(std::int64_t D, std::int64_t F) : ffn_gate(D, F), ffn_up(D, F), ffn_down(F, D) {}

  /// x [T, D] -> [T, D]
  Tensor forward(const Tensor& x, Context& ctx) const;
  void list(Visitor& v) override;

  Linear ffn_gate, ffn_up, ffn_down;
};

/// y = gelu(x Wup + bup) Wdown + bdown (Radford et al. 2019).
class GeluMlp final : public Module {
 public:
  GeluMlp(std::int64_t D, std::int64_t F) : ffn_up(D, F), ffn_down(F, D) {}

  /// x [T, D] -> [T, D]
  Tensor forward(const Tensor& x, Context& ctx) const;
  void list(Visitor& v) override;

  Linear ffn_up, ffn_down;
};

}  // namespace toy

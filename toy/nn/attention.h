// The attention block: multi-head, grouped-query or multi-query.
#pragma once

#include <optional>

#include "toy/nn/context.h"
#include "toy/nn/linear.h"
#include "toy/nn/module.h"
#include "toy/nn/rope.h"

namespace toy {

struct AttentionOptions {
  std::int64_t width = 0;  // D
  std::int64_t heads = 0, kv_heads = 0, head_width = 0;
  float scale = 0;  // of the scores; 0: 1 / sqrt(d)
};

/// y = softmax(q K^T / sqrt(d)) V Wo with q, k, v = x Wq, x Wk, x Wv (Vaswani et al. 2017; grouped heads:
/// Ainslie et al. 2023). With a RoPE, q and k are rotated by their positions.
class Attention final : public Module {
 public:
  /// Errors: no heads, or a number that is no multiple of those of keys.
  Attention(const AttentionOptions& options, int layer, const RoPE* rope);

  /// x [T, D] -> [T, D]
  Tensor forward(const Tensor& x, Context& ctx) const;
  void list(Visitor& v) override;

  Linear attn_q, attn_k, attn_v, attn_output;

 private:
  std::int64_t head_width_;
  int layer_;
  float scale_;
  const RoPE* rope_;
};

}  // namespace toy

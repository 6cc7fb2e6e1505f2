// GPT-2 (Radford et al. 2019).
#pragma once

#include <vector>

#include "toy/models/model.h"
#include "toy/nn/attention.h"
#include "toy/nn/mlp.h"
#include "toy/nn/norm.h"

namespace toy {

/// h = x + Attn(LayerNorm(x)),  y = h + Mlp(LayerNorm(h))
class GPT2Block final : public Module {
 public:
  GPT2Block(const Sizes& sizes, float eps, int layer);

  /// x [T, D] -> [T, D]
  Tensor forward(Tensor x, Context& ctx) const;
  void list(Visitor& v) override;

  LayerNorm attn_norm, ffn_norm;
  Attention attn;
  GeluMlp ffn;
};

class GPT2 final : public Model {
 public:
  explicit GPT2(Hyperparameters& h);

  Tensor forward(Context& ctx) const override;
  void list(Visitor& v) override;
  std::vector<Fused> fused() const override { return {{"attn_qkv", {"attn_q", "attn_k", "attn_v"}, true}}; }

  Embedding position_embd;
  LayerNorm output_norm;
  std::vector<GPT2Block> blk;
};

}  // namespace toy

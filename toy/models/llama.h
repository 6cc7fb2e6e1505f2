// Llama 1 to 3.2, TinyLlama, SmolLM2, Mistral (Touvron et al. 2023).
#pragma once

#include <vector>

#include "toy/models/model.h"
#include "toy/nn/attention.h"
#include "toy/nn/mlp.h"
#include "toy/nn/norm.h"
#include "toy/nn/rope.h"

namespace toy {

/// h = x + Attn(RMSNorm(x)),  y = h + SwiGLU(RMSNorm(h))
class LlamaBlock final : public Module {
 public:
  LlamaBlock(const Sizes& sizes, float eps, int layer, const RoPE* rope);

  /// x [T, D] -> [T, D]
  Tensor forward(Tensor x, Context& ctx) const;
  void list(Visitor& v) override;

  RMSNorm attn_norm, ffn_norm;
  Attention attn;
  SwiGLU ffn;
};

class Llama final : public Model {
 public:
  explicit Llama(Hyperparameters& h);

  Tensor forward(Context& ctx) const override;
  void list(Visitor& v) override;
  void loaded(Device& device) override { rope.build(device, rope_freqs); }
  bool constant(std::string_view name) const override { return name == "rope_freqs.weight"; }
  std::vector<Fused> fused() const override { return {{"attn_qkv", {"attn_q", "attn_k", "attn_v"}}}; }

  RoPE rope;
  Tensor rope_freqs;  // [R/2], divisors of llama3's scaling, if the file has them
  RMSNorm output_norm;
  std::vector<LlamaBlock> blk;
};

}  // namespace toy

#include "toy/models/llama.h"

#include "toy/tensor/ops/add.h"

namespace toy {

using namespace axes;

/// h = x + Attn(RMSNorm(x)),  y = h + SwiGLU(RMSNorm(h))
Tensor LlamaBlock::forward(Tensor x, Context& ctx) const {
  x = ctx.expect("h", x + attn.forward(attn_norm(x), ctx), {T, D});
  x = ctx.expect("y", x + ffn.forward(ffn_norm(x), ctx), {T, D});
  return x;
}

/// x = E[ids];  x = block_l(x) for every layer;  RMSNorm(x)
Tensor Llama::forward(Context& ctx) const {
  bind(ctx);
  Tensor x = ctx.expect("x", token_embd(ctx.ids()), {T, D});
  for (int l = 0; const LlamaBlock& block : blk) x = ctx.layer(l++, block, x);
  return ctx.expect("final", output_norm(ctx.wanted(x)), {R, D});
}

LlamaBlock::LlamaBlock(const Sizes& s, float eps, int layer, const RoPE* rope)
    : attn_norm(s.D, eps), ffn_norm(s.D, eps), attn({s.D, s.H, s.K, s.d}, layer, rope), ffn(s.D, s.F) {}

void LlamaBlock::list(Visitor& v) {
  v("attn_norm", attn_norm);
  v("", attn);
  v("ffn_norm", ffn_norm);
  v("", ffn);
}

void Llama::list(Visitor& v) {
  list_ends(v);
  v("rope_freqs.weight", rope_freqs, {rope.width() / 2}, Need::optional);
  for (int l = 0; LlamaBlock & block : blk) v("blk", l++, block);
  v("output_norm", output_norm);
}

namespace {

Sizes llama_sizes(Hyperparameters& h) {
  constexpr std::int64_t most = 1 << 20;
  Sizes s;
  s.context = h.count("context_length", 1, (std::int64_t{1} << 31) - 1);
  s.D = h.count("embedding_length", 1, most);
  s.L = h.layers();
  s.F = h.count("feed_forward_length", 1, most);
  s.H = h.count("attention.head_count", 1, most);
  s.K = h.count_or("attention.head_count_kv", s.H, 1, s.H);
  h.must_divide("attention.head_count_kv", s.K, "attention.head_count", s.H);
  if (!h.has("attention.key_length")) h.must_divide("attention.head_count", s.H, "embedding_length", s.D);
  s.d = h.count_or("attention.key_length", std::max<std::int64_t>(1, s.D / s.H), 1, 1 << 16);
  h.must_equal("attention.value_length", h.count_or("attention.value_length", s.d, 1, 1 << 16), "attention.key_length",
               s.d);
  s.V = h.vocabulary();
  return s;
}

}  // namespace

Llama::Llama(Hyperparameters& h)
    : Model(llama_sizes(h)),
      rope(sizes().d, h.rope(sizes().d, sizes().context)),
      output_norm(sizes().D, h.number("attention.layer_norm_rms_epsilon", 0, 1)) {
  const float eps = h.number("attention.layer_norm_rms_epsilon", 0, 1);
  blk.reserve(static_cast<std::size_t>(sizes().L));
  for (int l = 0; l < static_cast<int>(sizes().L); ++l) blk.emplace_back(sizes(), eps, l, &rope);
}

}  // namespace toy

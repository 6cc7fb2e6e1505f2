#include "toy/models/gpt2.h"

#include "toy/tensor/ops/add.h"

namespace toy {

using namespace axes;

/// h = x + Attn(LayerNorm(x)),  y = h + Mlp(LayerNorm(h))
Tensor GPT2Block::forward(Tensor x, Context& ctx) const {
  x = ctx.expect("h", x + attn.forward(attn_norm(x), ctx), {T, D});
  x = ctx.expect("y", x + ffn.forward(ffn_norm(x), ctx), {T, D});
  return x;
}

/// x = E[ids] + P[positions];  x = block_l(x) for every layer;  LayerNorm(x)
Tensor GPT2::forward(Context& ctx) const {
  bind(ctx);
  const Tensor tokens = token_embd(ctx.ids());
  Tensor x = ctx.expect("x", tokens + position_embd(ctx.positions()), {T, D});
  for (int l = 0; const GPT2Block& block : blk) x = ctx.layer(l++, block, x);
  return ctx.expect("final", output_norm(ctx.wanted(x)), {R, D});
}

GPT2Block::GPT2Block(const Sizes& s, float eps, int layer)
    : attn_norm(s.D, eps), ffn_norm(s.D, eps), attn({s.D, s.H, s.K, s.d}, layer, nullptr), ffn(s.D, s.F) {}

void GPT2Block::list(Visitor& v) {
  v("attn_norm", attn_norm);
  v("", attn);
  v("ffn_norm", ffn_norm);
  v("", ffn);
}

void GPT2::list(Visitor& v) {
  list_ends(v);
  v("position_embd", position_embd);
  for (int l = 0; GPT2Block & block : blk) v("blk", l++, block);
  v("output_norm", output_norm);
}

namespace {

Sizes gpt2_sizes(Hyperparameters& h) {
  constexpr std::int64_t most = 1 << 20;
  Sizes s;
  s.learned_positions = true;
  s.context = h.count("context_length", 1, 1 << 24);
  s.D = h.count("embedding_length", 1, most);
  s.L = h.layers();
  s.F = h.count("feed_forward_length", 1, most);
  s.H = h.count("attention.head_count", 1, most);
  s.K = h.count_or("attention.head_count_kv", s.H, s.H, s.H);
  h.must_divide("attention.head_count", s.H, "embedding_length", s.D);
  s.d = s.D / s.H;
  s.V = h.vocabulary();
  return s;
}

}  // namespace

GPT2::GPT2(Hyperparameters& h)
    : Model(gpt2_sizes(h)),
      position_embd(sizes().context, sizes().D),
      output_norm(sizes().D, h.number("attention.layer_norm_epsilon", 0, 1)) {
  const float eps = h.number("attention.layer_norm_epsilon", 0, 1);
  blk.reserve(static_cast<std::size_t>(sizes().L));
  for (int l = 0; l < static_cast<int>(sizes().L); ++l) blk.emplace_back(sizes(), eps, l);
}

}  // namespace toy

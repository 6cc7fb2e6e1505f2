#include "toy/nn/attention.h"

#include <cmath>

namespace toy {

using namespace axes;

Attention::Attention(const AttentionOptions& o, int layer, const RoPE* rope)
    : attn_q(o.width, o.heads * o.head_width),
      attn_k(o.width, o.kv_heads * o.head_width),
      attn_v(o.width, o.kv_heads * o.head_width),
      attn_output(o.heads * o.head_width, o.width),
      head_width_(o.head_width),
      layer_(layer),
      scale_(o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<float>(o.head_width))),
      rope_(rope) {
  if (o.heads < 1 || o.kv_heads < 1 || o.head_width < 1 || o.heads % o.kv_heads != 0) {
    fail("attention: expected heads that are a multiple of those of keys, found {} and {} of width {}", o.heads,
         o.kv_heads, o.head_width);
  }
}

/// q, k, v = x Wq, x Wk, x Wv;  y = softmax(scale q K^T) V Wo
Tensor Attention::forward(const Tensor& x, Context& ctx) const {
  const auto scope = ctx.scope("attn");
  auto [q, k, v] = linear(x, attn_q, attn_k, attn_v);
  if (rope_ != nullptr) {
    q = (*rope_)(q, ctx);
    k = (*rope_)(k, ctx);
  }
  q = ctx.expect("q", q, {T, H * d});
  k = ctx.expect("k", k, {T, K * d});
  v = ctx.expect("v", v, {T, K * d});
  const KeyValues past_and_now = ctx.state(layer_).append(k, v, head_width_);
  const Tensor heads = attention(q, past_and_now, ctx.segments(), scale_);
  return ctx.expect("y", attn_output(heads), {T, D});
}

void Attention::list(Visitor& v) {
  v("attn_q", attn_q);
  v("attn_k", attn_k);
  v("attn_v", attn_v);
  v("attn_output", attn_output);
  v("scale", scale_);
}

}  // namespace toy

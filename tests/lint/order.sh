#!/bin/sh
. "$(dirname "$0")/lib.sh"

# page LINE: a file of models with that line in a function that takes a Context.
page() { printf 'namespace toy {\nTensor Block::forward(Tensor x, Context& ctx) const {\n  %s\n}\n}\n' "$1" | put toy/models/page.cpp; }
# elsewhere LINE: the same in one that does not.
elsewhere() { printf 'Tensor f(const Tensor& x) {\n  Context ctx(device, batch);\n  %s\n}\n' "$1" | put toy/models/page.cpp; }
side_by_side="toy/models/page.cpp:3: two calls side by side"

for line in 'return ctx.expect("h", x + attn.forward(attn_norm(x), ctx), {T, D});' \
  'const Tensor a = attn.forward(x, ctx); return x + a + ffn.forward(x, ctx);' \
  'for (int l = 0; const Block& block : blk) x = ctx.layer(l++, block, x);' \
  'const std::array both{attn.forward(x, ctx), ffn.forward(x, ctx)};' \
  'if (wide(x, ctx)) x = ffn.forward(x, ctx);' \
  'x = narrow(x, ctx) ? attn.forward(x, ctx) : ffn.forward(x, ctx);' \
  'const KeyValues kv = ctx.state(layer_).append(k, v, head_width_);' \
  'return f(std::move(k), std::move(v), static_cast<float>(q.width()), ctx.ids(), ctx.positions());' \
  'const auto run = [&](const Tensor& y) { return ffn.forward(y, ctx); };  // f(x, ctx) + g(x, ctx)' \
  '(void)say("f(x, ctx) + g(x, ctx)");' \
  'first(x, ctx); second(x, ctx);'; do
  page "$line"
  good order
done
for line in 'return x + attn.forward(x, ctx) + ffn.forward(x, ctx);' \
  'x = ctx.expect("y", x + (attn.forward(x, ctx) - ffn.forward(x, ctx)), {T, D});' \
  'return add(attn.forward(x, ctx), ffn.forward(x, ctx));' \
  'return add(x + attn.forward(attn_norm(x), ctx), scale(ffn.forward(x, ctx), 2));' \
  'x = f(std::move(a(x, ctx)), std::move(b(x, ctx)));' \
  'x = token_embd(ctx.ids()) + position_embd(ctx.positions());' \
  'const bool one = y && attn.forward(x, ctx) * ffn.forward(x, ctx);' \
  'x = f(a && attn.forward(x, ctx), b && ffn.forward(x, ctx));' \
  'x = attn(x, ctx).reshape(s) + ffn(x, ctx).reshape(s);'; do
  page "$line"
  bad order "$side_by_side take ctx"
  elsewhere "$line"
  bad order "$side_by_side take ctx"
done
for line in 'return swiglu(ffn_gate(x), ffn_up(x));' 'x = attn_q(x) + attn_k(x);' 'x = f(Pair{a(x)}, b(x));'; do
  page "$line"
  bad order "$side_by_side where a Context is taken"
  elsewhere "$line"
  good order
done
# A declaration is no call, and the next function begins anew.
printf 'Tensor f(Context& ctx);\nTensor g(const Tensor& x, Context& ctx);\nstruct A {\n  A(Context& ctx) : b_(ctx), c_(ctx) {}\n};\n' |
  put toy/models/page.cpp
good order

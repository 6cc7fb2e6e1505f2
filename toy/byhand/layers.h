// The layers of a GPT, each with its derivative worked out on paper.
//
// T positions, C the largest T, D model width, H heads, d = D / H, F feed-forward width, V vocabulary.
// L is the loss and dx is dL/dx: it has the shape of x. A backward gets what its forward got, and dy; it computes
// again what it needs in between, so that each pair can be read, and checked, alone.
//
// Weights are [out, in] and are used as x W^T. If y = x W^T, then dx = dy W and dW = dy^T x.
// Errors: std::invalid_argument where shapes do not fit or an id is out of range.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "toy/byhand/matrix.h"

namespace toy::byhand {

/// Throws std::invalid_argument unless every id is one of 0 .. vocabulary - 1.
void expect_ids(std::string_view what, std::span<const int> ids, int vocabulary);

/// x_t = wte[ids_t] + wpe[t].  ids [T], wte [V, D], wpe [C, D] -> x [T, D]
Matrix embed(std::span<const int> ids, const Matrix& wte, const Matrix& wpe);

/// dwte[v] = sum of dx_t over every t with ids_t = v,  dwpe[t] = dx_t
struct EmbedGradient {
  Matrix dwte, dwpe;
};
EmbedGradient embed_backward(std::span<const int> ids, const Matrix& wte, const Matrix& wpe, const Matrix& dx);

/// y = g * x r with r = 1 / sqrt(mean(x^2) + 1e-5), each row alone (Zhang & Sennrich 2019).
/// x [T, D], gain g [1, D] -> y [T, D]
Matrix rms_norm(const Matrix& x, const Matrix& gain);

/// dx = r g * dy - x r^3 / D sum_j(g_j dy_j x_j): the second term is what x_i does to r.
/// dg = sum_t dy * x r
struct RmsNormGradient {
  Matrix dx, dgain;
};
RmsNormGradient rms_norm_backward(const Matrix& x, const Matrix& gain, const Matrix& dy);

/// p_j = exp(s_j) / sum_k exp(s_k), each row alone.  s [T, n] -> p [T, n]
Matrix softmax_rows(const Matrix& s);

/// dp_j/ds_k = p_j (1[j = k] - p_k), hence ds = p * (dp - sum_j p_j dp_j). It takes the result p, not s.
Matrix softmax_rows_backward(const Matrix& p, const Matrix& dp);

struct Head {
  Matrix wq, wk, wv;  // each [d, D]
};
struct SelfAttention {
  std::vector<Head> heads;
  Matrix wo;  // [D, H d]
};

/// For each head q, k, v = x Wq^T, x Wk^T, x Wv^T;  p = softmax(causal(q k^T / sqrt(d)));  o = p v.
/// y = [o_1 ... o_H] Wo^T (Vaswani et al. 2017). causal: position t sees the positions up to t.
/// x [T, D] -> y [T, D]
Matrix self_attention(const Matrix& x, const SelfAttention& w);

/// [do_1 ... do_H] = dy Wo,  dWo = dy^T [o_1 ... o_H]. For each head
/// dv = p^T do,  dp = do v^T,  ds = softmax_rows_backward(p, dp) / sqrt(d),  dq = ds k,  dk = ds^T q;
/// dWq = dq^T x, dWk = dk^T x, dWv = dv^T x;  dx = sum over the heads of dq Wq + dk Wk + dv Wv.
struct SelfAttentionGradient {
  Matrix dx;
  SelfAttention dw;
};
SelfAttentionGradient self_attention_backward(const Matrix& x, const SelfAttention& w, const Matrix& dy);

struct FeedForward {
  Matrix w1;  // [F, D]
  Matrix w2;  // [D, F]
};

/// y = gelu(x W1^T) W2^T with gelu(u) = u/2 (1 + tanh(c (u + a u^3))), c = sqrt(2/pi), a = 0.044715
/// (Hendrycks & Gimpel 2016).  x [T, D] -> y [T, D]
Matrix feed_forward(const Matrix& x, const FeedForward& w);

/// With u = x W1^T and th = tanh(c (u + a u^3)):  gelu'(u) = (1 + th)/2 + u/2 (1 - th^2) c (1 + 3 a u^2)
/// du = (dy W2) * gelu'(u),  dW2 = dy^T gelu(u),  dW1 = du^T x,  dx = du W1
struct FeedForwardGradient {
  Matrix dx;
  FeedForward dw;
};
FeedForwardGradient feed_forward_backward(const Matrix& x, const FeedForward& w, const Matrix& dy);

/// Mean over t of -log softmax(logits_t)[targets_t]; 0 where T = 0.  logits [T, V], targets [T]
double cross_entropy(const Matrix& logits, std::span<const int> targets);

/// dL/dlogits = (softmax(logits) - onehot(targets)) / T -> [T, V]
Matrix cross_entropy_grad(const Matrix& logits, std::span<const int> targets);

}  // namespace toy::byhand

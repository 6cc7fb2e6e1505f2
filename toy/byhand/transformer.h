// A whole GPT in numbers and formulas: no tape, no graph. Every derivative is a line of this floor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "toy/byhand/layers.h"

namespace toy::byhand {

/// h = x + self_attention(rms_norm(x)),  y = h + feed_forward(rms_norm(h))
struct TransformerBlock {
  Matrix norm1;  // [1, D]
  SelfAttention attn;
  Matrix norm2;  // [1, D]
  FeedForward ffn;
};

/// x [T, D] -> y [T, D]
Matrix transformer_block(const Matrix& x, const TransformerBlock& w);

/// A sum hands its gradient to both of its terms:
/// dh = dy + (through feed_forward and norm2) dy,  dx = dh + (through self_attention and norm1) dh
struct TransformerBlockGradient {
  Matrix dx;
  TransformerBlock dw;
};
TransformerBlockGradient transformer_block_backward(const Matrix& x, const TransformerBlock& w, const Matrix& dy);

struct Hyperparameters {
  int vocabulary = 0, context = 0, width = 0, heads = 0, hidden = 0, layers = 0;
};

struct LossAndGradient;

/// x = wte[ids] + wpe;  x = block_l(x) for every layer;  logits = rms_norm(x) wte^T (Radford et al. 2019, without
/// biases and with RMSNorm). The gradient of a model is a model too: it has the same matrices.
struct TransformerLM {
  Matrix wte;  // [V, D], also the unembedding
  Matrix wpe;  // [C, D]
  std::vector<TransformerBlock> blocks;
  Matrix norm_f;  // [1, D]

  /// Every matrix 0. Errors: a length below 1, or heads that do not divide the width.
  static TransformerLM zeros(const Hyperparameters& sizes);
  /// Gains 1, matrices normal with deviation 1/sqrt(inputs), embeddings 0.1; the same seed gives the same model.
  static TransformerLM random(const Hyperparameters& sizes, std::uint64_t seed);

  /// Every matrix, always in the same order.
  std::vector<Matrix*> parameters();
  std::vector<const Matrix*> parameters() const;

  /// ids [T], T at most C -> logits [T, V]; row t scores the id that follows ids[t].
  Matrix logits(std::span<const int> ids) const;
  /// dlogits [T, V] -> the gradient of every parameter.
  TransformerLM backward(std::span<const int> ids, const Matrix& dlogits) const;

  /// Mean cross-entropy of predicting ids[1..] from ids[..T-1]. Fewer than two ids predict nothing: loss 0, gradient 0.
  double loss(std::span<const int> ids) const;
  /// Mean over every prediction of every sequence.
  LossAndGradient loss_and_gradient(std::span<const std::vector<int>> batch) const;

 private:
  std::vector<Matrix> residual_stream(std::span<const int> ids) const;
};

struct LossAndGradient {
  double loss = 0;
  TransformerLM gradient;
};

}  // namespace toy::byhand

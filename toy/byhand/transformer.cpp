#include "toy/byhand/transformer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "toy/byhand/random.h"

namespace toy::byhand {

Matrix transformer_block(const Matrix& x, const TransformerBlock& w) {
  const Matrix h = x + self_attention(rms_norm(x, w.norm1), w.attn);
  return h + feed_forward(rms_norm(h, w.norm2), w.ffn);
}

TransformerBlockGradient transformer_block_backward(const Matrix& x, const TransformerBlock& w, const Matrix& dy) {
  const Matrix x_normed = rms_norm(x, w.norm1);
  const Matrix h = x + self_attention(x_normed, w.attn);
  const Matrix h_normed = rms_norm(h, w.norm2);

  const auto [dh_normed, dffn] = feed_forward_backward(h_normed, w.ffn, dy);
  const auto [dh_inner, dnorm2] = rms_norm_backward(h, w.norm2, dh_normed);
  const Matrix dh = dy + dh_inner;

  const auto [dx_normed, dattn] = self_attention_backward(x_normed, w.attn, dh);
  const auto [dx_inner, dnorm1] = rms_norm_backward(x, w.norm1, dx_normed);
  return {dh + dx_inner, {dnorm1, dattn, dnorm2, dffn}};
}

// The model

/// The input of every block, and last the output of the last block.
std::vector<Matrix> TransformerLM::residual_stream(std::span<const int> ids) const {
  std::vector<Matrix> x = {embed(ids, wte, wpe)};
  for (const TransformerBlock& block : blocks) x.push_back(transformer_block(x.back(), block));
  return x;
}

Matrix TransformerLM::logits(std::span<const int> ids) const {
  return rms_norm(residual_stream(ids).back(), norm_f) * transpose(wte);
}

/// logits = y wte^T, hence dy = dlogits wte and dwte = dlogits^T y; wte gets a second part as the embedding.
TransformerLM TransformerLM::backward(std::span<const int> ids, const Matrix& dlogits) const {
  expect_shape("backward: dlogits", dlogits, static_cast<int>(ids.size()), wte.rows());
  const std::vector<Matrix> x = residual_stream(ids);
  const Matrix y = rms_norm(x.back(), norm_f);

  TransformerLM d;
  auto [dx, dnorm_f] = rms_norm_backward(x.back(), norm_f, dlogits * wte);
  d.norm_f = std::move(dnorm_f);
  for (std::size_t l = blocks.size(); l-- > 0;) {
    auto [dx_in, dblock] = transformer_block_backward(x[l], blocks[l], dx);
    d.blocks.insert(d.blocks.begin(), std::move(dblock));
    dx = std::move(dx_in);
  }
  auto [dwte, dwpe] = embed_backward(ids, wte, wpe, dx);
  d.wte = transpose(dlogits) * y + dwte;
  d.wpe = std::move(dwpe);
  return d;
}

namespace {

struct InputsAndTargets {
  std::span<const int> inputs, targets;
};

InputsAndTargets shifted(std::span<const int> ids) {
  if (ids.size() < 2) return {};
  return {ids.first(ids.size() - 1), ids.subspan(1)};
}

}  // namespace

double TransformerLM::loss(std::span<const int> ids) const {
  const auto [inputs, targets] = shifted(ids);
  return cross_entropy(logits(inputs), targets);
}

LossAndGradient TransformerLM::loss_and_gradient(std::span<const std::vector<int>> batch) const {
  std::size_t predictions = 0;
  for (const auto& ids : batch) predictions += shifted(ids).targets.size();

  LossAndGradient result = {0, backward({}, Matrix(0, wte.rows()))};
  for (const auto& ids : batch) {
    const auto [inputs, targets] = shifted(ids);
    if (targets.empty()) continue;
    const double share = static_cast<double>(targets.size()) / static_cast<double>(predictions);
    const Matrix logits = this->logits(inputs);
    const TransformerLM gradient = backward(inputs, share * cross_entropy_grad(logits, targets));
    result.loss += share * cross_entropy(logits, targets);
    const auto sums = result.gradient.parameters();
    const auto parts = gradient.parameters();
    for (std::size_t i = 0; i < sums.size(); ++i) *sums[i] += *parts[i];
  }
  return result;
}

// The parameters

namespace {

template <class Pointer, class Model>
std::vector<Pointer> list(Model& lm) {
  std::vector<Pointer> all = {&lm.wte, &lm.wpe};
  for (auto& block : lm.blocks) {
    all.push_back(&block.norm1);
    for (auto& head : block.attn.heads) all.insert(all.end(), {&head.wq, &head.wk, &head.wv});
    all.insert(all.end(), {&block.attn.wo, &block.norm2, &block.ffn.w1, &block.ffn.w2});
  }
  all.push_back(&lm.norm_f);
  return all;
}

}  // namespace

std::vector<Matrix*> TransformerLM::parameters() { return list<Matrix*>(*this); }

std::vector<const Matrix*> TransformerLM::parameters() const { return list<const Matrix*>(*this); }

TransformerLM TransformerLM::zeros(const Hyperparameters& sizes) {
  const auto [V, C, D, H, F, layers] = sizes;
  if (std::min({V, C, D, H, F, layers}) < 1) throw std::invalid_argument("TransformerLM: every length is at least 1");
  if (D % H != 0) {
    throw std::invalid_argument("TransformerLM: width " + std::to_string(D) + " is no multiple of " +
                                std::to_string(H) + " heads");
  }
  const Head head = {Matrix(D / H, D), Matrix(D / H, D), Matrix(D / H, D)};
  const SelfAttention attn = {std::vector<Head>(static_cast<std::size_t>(H), head), Matrix(D, D)};
  const TransformerBlock block = {Matrix(1, D), attn, Matrix(1, D), {Matrix(F, D), Matrix(D, F)}};
  return {Matrix(V, D), Matrix(C, D), std::vector<TransformerBlock>(static_cast<std::size_t>(layers), block),
          Matrix(1, D)};
}

TransformerLM TransformerLM::random(const Hyperparameters& sizes, std::uint64_t seed) {
  TransformerLM lm = zeros(sizes);
  Random random(seed);
  for (Matrix* w : lm.parameters()) {
    const bool embedding = w == &lm.wte || w == &lm.wpe;
    const double deviation = embedding ? 0.1 : 1 / std::sqrt(w->cols());
    for (double& value : w->values()) value = deviation * random.normal();
  }
  for (TransformerBlock& block : lm.blocks) {
    std::ranges::fill(block.norm1.values(), 1);
    std::ranges::fill(block.norm2.values(), 1);
  }
  std::ranges::fill(lm.norm_f.values(), 1);
  return lm;
}

}  // namespace toy::byhand

// The tape against the derivatives that were worked out by hand: one model, the same weights, in double.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "toy/byhand/transformer.h"
#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/ops/activation.h"
#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/attention.h"
#include "toy/tensor/ops/cross_entropy.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/linear.h"
#include "toy/tensor/ops/norm.h"
#include "toy/tensor/tape.h"

namespace toy {
namespace {

using byhand::Matrix;
using byhand::TransformerLM;

/// Matrices of one width, stacked: a leaf.
Tensor leaf(Device& device, const std::vector<const Matrix*>& parts, bool vector = false) {
  std::vector<double> values;
  for (const Matrix* part : parts) values.insert(values.end(), part->values().begin(), part->values().end());
  const std::int64_t width = parts.front()->cols(), rows = static_cast<std::int64_t>(values.size()) / width;
  Tensor t = Tensor::of(device, vector ? Shape{width} : Shape{rows, width}, std::span<const double>(values));
  t.set_requires_grad(true);
  return t;
}

struct Block {
  Tensor norm1, wq, wk, wv, wo, norm2, w1, w2;
};

/// The same function as TransformerLM, of the ops that models are made of.
class OnTape {
 public:
  OnTape(Device& device, const TransformerLM& lm)
      : device_(&device),
        wte(leaf(device, {&lm.wte})),
        wpe(leaf(device, {&lm.wpe})),
        norm_f(leaf(device, {&lm.norm_f}, true)) {
    for (const auto& b : lm.blocks) {
      std::vector<const Matrix*> q, k, v;
      for (const auto& head : b.attn.heads) {
        q.push_back(&head.wq);
        k.push_back(&head.wk);
        v.push_back(&head.wv);
      }
      head_width_ = b.attn.heads.front().wq.rows();
      blocks.push_back({leaf(device, {&b.norm1}, true), leaf(device, q), leaf(device, k), leaf(device, v),
                        leaf(device, {&b.attn.wo}), leaf(device, {&b.norm2}, true), leaf(device, {&b.ffn.w1}),
                        leaf(device, {&b.ffn.w2})});
    }
  }

  Tensor loss(const std::vector<int>& ids) const {
    const auto T = static_cast<std::int64_t>(ids.size()) - 1;
    std::vector<std::int32_t> inputs(ids.begin(), ids.end() - 1), targets(ids.begin() + 1, ids.end()), places;
    for (std::int64_t t = 0; t < T; ++t) places.push_back(static_cast<std::int32_t>(t));
    const auto of = [&](const std::vector<std::int32_t>& values) {
      return Tensor::of(*device_, {T}, std::span<const std::int32_t>(values));
    };
    Tensor x = gather(wte, of(inputs)) + gather(wpe, of(places));
    const std::vector<Segment> whole{{0, T, 0}};
    for (const Block& b : blocks) {
      const Tensor h = rms_norm(x, b.norm1, 1e-5F);
      KeyValues kv;
      kv.d = head_width_;
      kv.kv_heads = b.wk.shape()[0] / head_width_;
      kv.k = linear(h, b.wk);
      kv.v = linear(h, b.wv);
      const float scale = 1 / std::sqrt(static_cast<float>(head_width_));
      x = x + linear(attention(linear(h, b.wq), kv, whole, scale), b.wo);
      x = x + linear(gelu(linear(rms_norm(x, b.norm2, 1e-5F), b.w1)), b.w2);
    }
    return cross_entropy(rms_norm(x, norm_f, 1e-5F), wte, of(targets));
  }

 private:
  Device* device_;
  std::int64_t head_width_ = 0;

 public:
  Tensor wte, wpe, norm_f;
  std::vector<Block> blocks;
};

void expect_near(const char* name, const Tensor& found, const std::vector<const Matrix*>& expected) {
  std::vector<double> values;
  for (const Matrix* m : expected) values.insert(values.end(), m->values().begin(), m->values().end());
  ASSERT_EQ(static_cast<std::size_t>(found.shape().elements()), values.size()) << name;
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    difference += std::pow(found.values<double>()[i] - values[i], 2);
    size += values[i] * values[i];
  }
  EXPECT_LT(std::sqrt(difference), 1e-6 * std::sqrt(size)) << name;
}

TEST(ByHand, TheTapeFindsTheSameGradients) {
  const byhand::Hyperparameters sizes{
      .vocabulary = 17, .context = 9, .width = 12, .heads = 4, .hidden = 20, .layers = 3};
  const TransformerLM lm = TransformerLM::random(sizes, 5);
  const std::vector<std::vector<int>> batch{{3, 16, 0, 7, 7, 3, 11, 2, 5}};
  const byhand::LossAndGradient byhand = lm.loss_and_gradient(batch);

  CpuDevice device({.threads = 2});
  const OnTape model(device, lm);
  Tape tape(device);
  const Tensor loss = model.loss(batch[0]);
  EXPECT_NEAR(loss.data<double>()[0], byhand.loss, 1e-7 * byhand.loss);
  tape.backward(loss);

  const TransformerLM& d = byhand.gradient;
  expect_near("wte", tape.gradient(model.wte), {&d.wte});
  expect_near("norm_f", tape.gradient(model.norm_f), {&d.norm_f});
  // The positions beyond the text have no gradient in either.
  expect_near("wpe", tape.gradient(model.wpe), {&d.wpe});
  for (std::size_t l = 0; l < model.blocks.size(); ++l) {
    const Block& b = model.blocks[l];
    std::vector<const Matrix*> q, k, v;
    for (const auto& head : d.blocks[l].attn.heads) {
      q.push_back(&head.wq);
      k.push_back(&head.wk);
      v.push_back(&head.wv);
    }
    expect_near("wq", tape.gradient(b.wq), q);
    expect_near("wk", tape.gradient(b.wk), k);
    expect_near("wv", tape.gradient(b.wv), v);
    expect_near("wo", tape.gradient(b.wo), {&d.blocks[l].attn.wo});
    expect_near("norm1", tape.gradient(b.norm1), {&d.blocks[l].norm1});
    expect_near("norm2", tape.gradient(b.norm2), {&d.blocks[l].norm2});
    expect_near("w1", tape.gradient(b.w1), {&d.blocks[l].ffn.w1});
    expect_near("w2", tape.gradient(b.w2), {&d.blocks[l].ffn.w2});
  }
}

}  // namespace
}  // namespace toy

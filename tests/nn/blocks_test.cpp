// The named blocks on inputs of any rank, with the gradients of their parameters.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "toy/nn/linear.h"
#include "toy/nn/norm.h"
#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/reduce.h"
#include "toy/tensor/tape.h"

namespace toy {
namespace {

Tensor numbers(Device& device, Shape shape, float first, bool leaf = false) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  float x = first;
  for (float& value : values) {
    value = x;
    x = x > 1 ? x - 2.3F : x + 0.37F;
  }
  Tensor t = Tensor::of(device, shape, std::span<const float>(values));
  t.set_requires_grad(leaf);
  return t;
}

std::vector<float> elements(const Tensor& t) { return {t.values<float>().begin(), t.values<float>().end()}; }

/// Values and gradients of f on x [2, 3, 4] are those on its rows [6, 4].
template <class Block>
void same_as_on_rows(Device& device, const Block& block, std::initializer_list<const Tensor*> leaves) {
  const Tensor x = numbers(device, {2, 3, 4}, 0.1F, true), rows = numbers(device, {6, 4}, 0.1F, true);
  std::vector<std::vector<float>> results[2];
  for (const int flat : {0, 1}) {
    Tape tape(device);
    const Tensor& in = flat != 0 ? rows : x;
    const Tensor y = block(in);
    EXPECT_EQ(y.shape().rank(), in.shape().rank());
    EXPECT_EQ(y.rows(), 6);
    tape.backward(sum(y * y));
    results[flat] = {elements(y), elements(tape.gradient(in))};
    for (const Tensor* leaf : leaves) results[flat].push_back(elements(tape.gradient(*leaf)));
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST(Blocks, LinearTakesRowsAndBatchesOfRows) {
  CpuDevice device({.threads = 2});
  Linear with_bias(4, 5), without(4, 5);
  with_bias.weight = numbers(device, {5, 4}, -0.4F, true);
  with_bias.bias = numbers(device, {5}, 0.2F, true);
  without.weight = with_bias.weight;
  same_as_on_rows(device, with_bias, {&with_bias.weight, &with_bias.bias});
  same_as_on_rows(device, without, {&without.weight});
}

TEST(Blocks, NormsTakeAnyLeadingAxes) {
  CpuDevice device({.threads = 2});
  LayerNorm layer(4, 1e-5F);
  layer.weight = numbers(device, {4}, 0.7F, true);
  layer.bias = numbers(device, {4}, -0.2F, true);
  same_as_on_rows(device, layer, {&layer.weight, &layer.bias});
  RMSNorm rms(4, 1e-5F);
  rms.weight = layer.weight;
  same_as_on_rows(device, rms, {&rms.weight});
}

TEST(Blocks, EmbeddingTakesBatchesOfIdsAndRepeatsAddUp) {
  CpuDevice device({.threads = 2});
  Embedding embedding(5, 3);
  embedding.weight = numbers(device, {5, 3}, 0.3F, true);
  const std::vector<std::int32_t> ids{4, 0, 4, 2, 4, 0};
  Tape tape(device);
  const Tensor y = embedding(Tensor::of(device, {2, 3}, std::span<const std::int32_t>(ids)));
  ASSERT_EQ(y.shape(), (Shape{2, 3, 3}));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (std::int64_t k = 0; k < 3; ++k) {
      EXPECT_EQ(y.data<float>()[i * 3 + static_cast<std::size_t>(k)], embedding.weight.data<float>()[3 * ids[i] + k]);
    }
  }
  tape.backward(sum(y));
  const auto gradient = elements(tape.gradient(embedding.weight));
  const std::vector<float> times{2, 0, 1, 0, 3};
  for (std::size_t row = 0; row < 5; ++row) {
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(gradient[row * 3 + k], times[row]);
  }
}

}  // namespace
}  // namespace toy

// Every backward against central differences of its forward, in double, along random directions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "toy/byhand/transformer.h"

#include "tests/byhand/random_matrix.h"

namespace toy::byhand {
namespace {

using test::dot;
using test::expect_gradients;
using test::random_matrix;

TEST(ByhandBackward, Embed) {
  Random random(1);
  Matrix wte = random_matrix(7, 4, random), wpe = random_matrix(6, 4, random);
  const std::vector<int> ids = {3, 0, 3, 6, 3};
  const Matrix dx = random_matrix(5, 4, random);
  const auto [dwte, dwpe] = embed_backward(ids, wte, wpe, dx);
  expect_gradients([&] { return dot(embed(ids, wte, wpe), dx); }, {&wte, &wpe}, {&dwte, &dwpe});
}

TEST(ByhandBackward, RepeatedIdsAccumulate) {
  const Matrix wte(3, 1), wpe(4, 1);
  const std::vector<int> ids = {2, 0, 2};
  const auto [dwte, dwpe] = embed_backward(ids, wte, wpe, Matrix(3, 1, {1, 10, 100}));
  EXPECT_EQ(dwte, Matrix(3, 1, {10, 0, 101}));
  EXPECT_EQ(dwpe, Matrix(4, 1, {1, 10, 100, 0}));
}

TEST(ByhandBackward, RmsNorm) {
  Random random(2);
  Matrix x = random_matrix(5, 8, random), gain = random_matrix(1, 8, random);
  const Matrix dy = random_matrix(5, 8, random);
  const auto [dx, dgain] = rms_norm_backward(x, gain, dy);
  expect_gradients([&] { return dot(rms_norm(x, gain), dy); }, {&x, &gain}, {&dx, &dgain});
}

TEST(ByhandBackward, RmsNormOfSmallNumbersIsFinite) {
  const double a = std::sqrt(1e-5);  // as large as the term that keeps the root from 0
  const Matrix y = rms_norm(Matrix(2, 2, {0, 0, a, -a}), Matrix(1, 2, {1, 3}));
  EXPECT_EQ(y(0, 0), 0);
  EXPECT_NEAR(y(1, 0), std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(y(1, 1), -3 * std::sqrt(0.5), 1e-15);
}

TEST(ByhandBackward, SoftmaxRows) {
  Random random(3);
  Matrix s = random_matrix(4, 6, random);
  const Matrix dp = random_matrix(4, 6, random);
  const Matrix ds = softmax_rows_backward(softmax_rows(s), dp);
  expect_gradients([&] { return dot(softmax_rows(s), dp); }, {&s}, {&ds});
}

TEST(ByhandBackward, SoftmaxOfLargeNumbersIsFinite) {
  const Matrix p = softmax_rows(Matrix(2, 2, {1000, 1000, -1e300, 1e300}));
  EXPECT_EQ(p, Matrix(2, 2, {0.5, 0.5, 0, 1}));
}

SelfAttention random_attention(int width, int heads, int head_width, Random& random) {
  SelfAttention w;
  for (int h = 0; h < heads; ++h) {
    const auto projection = [&] { return 0.4 * random_matrix(head_width, width, random); };
    w.heads.push_back({projection(), projection(), projection()});
  }
  w.wo = random_matrix(width, heads * head_width, random);
  return w;
}

TEST(ByhandBackward, SelfAttention) {
  Random random(4);
  Matrix x = random_matrix(5, 6, random);
  const Matrix dy = random_matrix(5, 6, random);
  SelfAttention w = random_attention(6, 2, 3, random);
  const auto [dx, dw] = self_attention_backward(x, w, dy);
  std::vector<Matrix*> inputs = {&x, &w.wo};
  std::vector<const Matrix*> gradients = {&dx, &dw.wo};
  for (Head& head : w.heads) inputs.insert(inputs.end(), {&head.wq, &head.wk, &head.wv});
  for (const Head& head : dw.heads) gradients.insert(gradients.end(), {&head.wq, &head.wk, &head.wv});
  expect_gradients([&] { return dot(self_attention(x, w), dy); }, inputs, gradients);
}

TEST(ByhandBackward, NoPositionSeesALaterOne) {
  Random random(5);
  const SelfAttention w = random_attention(6, 2, 3, random);
  Matrix x = random_matrix(4, 6, random);
  const Matrix before = self_attention(x, w);
  x(2, 1) += 1;
  const Matrix after = self_attention(x, w);
  for (int t = 0; t < 4; ++t) {
    const bool same = std::ranges::equal(before.row(t), after.row(t));
    EXPECT_EQ(same, t < 2) << t;
  }
  // Seen from the other side: what is asked of row 1 alone moves no later row.
  Matrix dy(4, 6);
  dy(1, 0) = 1;
  const Matrix dx = self_attention_backward(x, w, dy).dx;
  for (int j = 0; j < 6; ++j) EXPECT_EQ(dx(2, j), 0);
}

TEST(ByhandBackward, FeedForward) {
  Random random(6);
  Matrix x = random_matrix(5, 4, random);
  const Matrix dy = random_matrix(5, 4, random);
  FeedForward w = {random_matrix(9, 4, random), random_matrix(4, 9, random)};
  const auto [dx, dw] = feed_forward_backward(x, w, dy);
  expect_gradients([&] { return dot(feed_forward(x, w), dy); }, {&x, &w.w1, &w.w2}, {&dx, &dw.w1, &dw.w2});
}

TEST(ByhandBackward, TransformerBlock) {
  Random random(7);
  Matrix x = random_matrix(5, 6, random);
  const Matrix dy = random_matrix(5, 6, random);
  TransformerBlock w = {random_matrix(1, 6, random),
                        random_attention(6, 1, 6, random),
                        random_matrix(1, 6, random),
                        {random_matrix(8, 6, random), random_matrix(6, 8, random)}};
  const auto [dx, dw] = transformer_block_backward(x, w, dy);
  Head& head = w.attn.heads[0];
  const Head& dhead = dw.attn.heads[0];
  expect_gradients([&] { return dot(transformer_block(x, w), dy); },
                   {&x, &w.norm1, &head.wq, &head.wk, &head.wv, &w.attn.wo, &w.norm2, &w.ffn.w1, &w.ffn.w2},
                   {&dx, &dw.norm1, &dhead.wq, &dhead.wk, &dhead.wv, &dw.attn.wo, &dw.norm2, &dw.ffn.w1, &dw.ffn.w2});
}

TEST(ByhandBackward, CrossEntropy) {
  Random random(8);
  Matrix logits = random_matrix(4, 5, random);
  const std::vector<int> targets = {4, 0, 2, 2};
  const Matrix dlogits = cross_entropy_grad(logits, targets);
  expect_gradients([&] { return cross_entropy(logits, targets); }, {&logits}, {&dlogits});
}

TEST(ByhandBackward, TheWholeModelOverSequencesOfSeveralLengths) {
  auto lm = TransformerLM::random({11, 6, 8, 2, 12, 2}, 9);
  const std::vector<std::vector<int>> batch = {{1, 5, 1, 10, 0, 5, 2}, {7, 7, 3}, {4}, {}};
  const auto [loss, gradient] = lm.loss_and_gradient(batch);
  EXPECT_NEAR(loss, (6 * lm.loss(batch[0]) + 2 * lm.loss(batch[1])) / 8, 1e-12);
  expect_gradients([&] { return (6 * lm.loss(batch[0]) + 2 * lm.loss(batch[1])) / 8; }, lm.parameters(),
                   gradient.parameters());
}

TEST(ByhandBackward, FewerThanTwoIdsTeachNothing) {
  const auto lm = TransformerLM::random({11, 6, 8, 2, 12, 2}, 10);
  for (const std::vector<int>& ids : {std::vector<int>{}, std::vector<int>{3}}) {
    EXPECT_EQ(lm.loss(ids), 0);
    const auto [loss, gradient] = lm.loss_and_gradient(std::vector{ids, ids});
    EXPECT_EQ(loss, 0);
    const auto found = gradient.parameters(), weights = lm.parameters();
    ASSERT_EQ(found.size(), weights.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(*found[i], Matrix(weights[i]->rows(), weights[i]->cols())) << i;
    }
  }
  EXPECT_EQ(lm.loss_and_gradient({}).loss, 0);
  EXPECT_EQ(cross_entropy(Matrix(0, 11), {}), 0);
  EXPECT_EQ(cross_entropy_grad(Matrix(0, 11), {}), Matrix(0, 11));
}

}  // namespace
}  // namespace toy::byhand

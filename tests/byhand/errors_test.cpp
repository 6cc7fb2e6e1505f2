// What does not fit costs one line that says what was expected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>

#include "toy/byhand/transformer.h"

namespace toy::byhand {
namespace {

std::string error(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "no error";
}

TEST(ByhandErrors, Matrices) {
  EXPECT_EQ(error([] { Matrix(2, 3) * Matrix(4, 5); }), "a * b: [2, 3] * [4, 5]: the inner lengths differ");
  EXPECT_EQ(error([] { Matrix(2, 3) + Matrix(3, 2); }), "a + b: expected [2, 3], found [3, 2]");
  EXPECT_EQ(error([] { Matrix(2, 3, {1, 2}); }), "Matrix: [2, 3] from 2 values");
  EXPECT_EQ(error([] { Matrix(-1, 3); }), "Matrix: no negative lengths, found [-1, 3]");
}

TEST(ByhandErrors, Ids) {
  const auto lm = TransformerLM::random({7, 4, 6, 2, 8, 1}, 1);
  const std::vector<int> beyond = {0, 7}, negative = {-1}, many = {0, 1, 2, 3, 4};
  EXPECT_EQ(error([&] { lm.logits(beyond); }), "embed: id 7 at position 1: expected 0 to 6");
  EXPECT_EQ(error([&] { lm.logits(negative); }), "embed: id -1 at position 0: expected 0 to 6");
  EXPECT_EQ(error([&] { lm.logits(many); }), "embed: 5 ids, but there are only 4 positions");
  EXPECT_EQ(error([&] { lm.loss(beyond); }), "cross_entropy: id 7 at position 0: expected 0 to 6");
  EXPECT_EQ(error([&] {
              lm.loss_and_gradient(std::vector{many, beyond});
            }),
            "cross_entropy: id 7 at position 0: expected 0 to 6");
}

TEST(ByhandErrors, Layers) {
  const Matrix x(3, 4);
  const std::vector<int> two = {0, 1};
  const SelfAttention attn = {{{Matrix(2, 4), Matrix(2, 4), Matrix(2, 4)}}, Matrix(4, 2)};
  EXPECT_EQ(error([&] { embed(two, Matrix(5, 4), Matrix(5, 3)); }), "embed: wpe: expected [5, 4], found [5, 3]");
  EXPECT_EQ(error([&] { embed_backward(two, Matrix(5, 4), Matrix(5, 4), x); }),
            "embed_backward: dx: expected [2, 4], found [3, 4]");
  EXPECT_EQ(error([&] { rms_norm(x, Matrix(1, 3)); }), "rms_norm: gain: expected [1, 4], found [1, 3]");
  EXPECT_THAT(error([&] { rms_norm_backward(x, Matrix(1, 3), x); }), testing::HasSubstr("gain"));
  EXPECT_THAT(error([&] { rms_norm_backward(x, Matrix(1, 4), Matrix(2, 4)); }), testing::HasSubstr("dy"));
  EXPECT_THAT(error([&] { softmax_rows_backward(x, Matrix(4, 3)); }), testing::HasSubstr("dp"));
  EXPECT_EQ(error([&] { self_attention(x, {}); }), "self_attention: expected at least one head");
  EXPECT_EQ(error([&] {
              self_attention(x, {attn.heads, Matrix(4, 3)});
            }),
            "self_attention: wo: expected [4, 2], found [4, 3]");
  EXPECT_THAT(error([&] {
                self_attention(x, {{{Matrix(2, 4), Matrix(2, 5), Matrix(2, 4)}}, attn.wo});
              }),
              testing::HasSubstr("wk"));
  EXPECT_THAT(error([&] {
                self_attention(x, {{{Matrix(2, 4), Matrix(2, 4), Matrix(3, 4)}}, attn.wo});
              }),
              testing::HasSubstr("wv"));
  EXPECT_THAT(error([&] { self_attention_backward(x, attn, Matrix(3, 5)); }), testing::HasSubstr("dy"));
  EXPECT_THAT(error([&] { self_attention_backward(Matrix(3, 5), attn, x); }), testing::HasSubstr("wq"));
  EXPECT_THAT(error([&] { feed_forward(x, {Matrix(8, 3), Matrix(4, 8)}); }), testing::HasSubstr("w1"));
  EXPECT_THAT(error([&] { feed_forward(x, {Matrix(8, 4), Matrix(4, 7)}); }), testing::HasSubstr("w2"));
  EXPECT_THAT(error([&] {
                feed_forward_backward(x, {Matrix(8, 4), Matrix(4, 8)}, Matrix(1, 4));
              }),
              testing::HasSubstr("dy"));
  EXPECT_EQ(error([&] { cross_entropy(x, two); }), "cross_entropy: 2 targets for 3 rows of logits");
  EXPECT_THAT(error([&] { cross_entropy_grad(x, two); }), testing::HasSubstr("2 targets"));
}

TEST(ByhandErrors, Models) {
  EXPECT_EQ(error([] {
              TransformerLM::zeros({7, 4, 6, 4, 8, 1});
            }),
            "TransformerLM: width 6 is no multiple of 4 heads");
  EXPECT_EQ(error([] { TransformerLM::zeros({7, 4, 6, 0, 8, 1}); }), "TransformerLM: every length is at least 1");
  const auto lm = TransformerLM::random({7, 4, 6, 2, 8, 1}, 1);
  EXPECT_EQ(error([&] {
              lm.backward(std::vector{1, 2}, Matrix(2, 6));
            }),
            "backward: dlogits: expected [2, 7], found [2, 6]");
}

}  // namespace
}  // namespace toy::byhand

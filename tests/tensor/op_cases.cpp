#include "tests/tensor/op_cases.h"

#include <cmath>

#include "toy/tensor/device.h"
#include "toy/tensor/ops/activation.h"
#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/attention.h"
#include "toy/tensor/ops/causal_conv.h"
#include "toy/tensor/ops/cross_entropy.h"
#include "toy/tensor/ops/elementwise.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/layout.h"
#include "toy/tensor/ops/linear.h"
#include "toy/tensor/ops/matmul.h"
#include "toy/tensor/ops/norm.h"
#include "toy/tensor/ops/reduce.h"
#include "toy/tensor/ops/rope.h"
#include "toy/tensor/ops/softmax.h"

namespace toy::test {

namespace {

constexpr float eps = 1e-5F;

Tensor integers(const Tensor& like, std::vector<std::int32_t> values, Shape shape) {
  return Tensor::of(like.device(), shape, std::span<const std::int32_t>(values));
}

/// A constant of the type of `like`.
Tensor numbers(const Tensor& like, Shape shape, const std::vector<double>& values) {
  if (like.dtype() == DType::F64) return Tensor::of(like.device(), shape, std::span<const double>(values));
  const std::vector<float> narrow(values.begin(), values.end());
  return Tensor::of(like.device(), shape, std::span<const float>(narrow));
}

Tensor plain_rms_norm(Inputs x) {
  return x[0] / sqrt(scale(mean(x[0] * x[0], -1), 1, static_cast<double>(eps))) * x[1];
}

Tensor plain_layer_norm(Inputs x) {
  const Tensor centred = x[0] - mean(x[0], -1);
  return centred / sqrt(scale(mean(centred * centred, -1), 1, static_cast<double>(eps))) * x[1] + x[2];
}

Tensor plain_gelu(Inputs in) {
  const Tensor& x = in[0];
  const Tensor inner = scale(x + scale(x * x * x, 0.044715), std::sqrt(2 / 3.14159265358979323846));
  return scale(x, 0.5) * scale(tanh(inner), 1, 1);
}

struct AttentionSizes {
  std::int64_t heads, kv_heads, d;
  std::vector<Segment> segments;
};

Tensor fused_attention(Inputs x, const AttentionSizes& s) {
  KeyValues kv;
  kv.dtype = DType::F32;
  kv.kv_heads = s.kv_heads;
  kv.d = s.d;
  kv.k = x[1];
  kv.v = x[2];
  return attention(x[0], kv, s.segments, 1 / std::sqrt(static_cast<float>(s.d)));
}

/// Head by head with the whole matrix of scores, and a mask that is added.
Tensor plain_attention(Inputs x, const AttentionSizes& s) {
  const auto scale_by = static_cast<double>(1 / std::sqrt(static_cast<float>(s.d)));
  std::vector<Tensor> sequences;
  for (const Segment& segment : s.segments) {
    const std::int64_t n = segment.count;
    std::vector<double> hidden(static_cast<std::size_t>(n * n));
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = i + 1; j < n; ++j) hidden[static_cast<std::size_t>(i * n + j)] = -1e30;
    }
    const Tensor mask = numbers(x[0], {n, n}, hidden);
    const auto rows = [&](const Tensor& t) { return slice(t, 0, segment.begin, n); };
    std::vector<Tensor> heads;
    for (std::int64_t h = 0; h < s.heads; ++h) {
      const std::int64_t g = h / (s.heads / s.kv_heads);
      const Tensor q = slice(rows(x[0]), 1, h * s.d, s.d), k = slice(rows(x[1]), 1, g * s.d, s.d),
                   v = slice(rows(x[2]), 1, g * s.d, s.d);
      heads.push_back(matmul(softmax(scale(matmul(q, transpose(k)), scale_by) + mask), v));
    }
    sequences.push_back(concat(heads, 1));
  }
  return concat(sequences, 0);
}

OpCase attention_case(const AttentionSizes& s) {
  std::int64_t T = 0;
  for (const Segment& segment : s.segments) T += segment.count;
  return {"attention",
          {{T, s.heads * s.d}, {T, s.kv_heads * s.d}, {T, s.kv_heads * s.d}},
          [s](Inputs x) { return fused_attention(x, s); },
          [s](Inputs x) { return plain_attention(x, s); }};
}

OpCase rope_case(Pairing pairing) {
  const auto turns = [](const Tensor& x) {
    const std::vector<float> f{1.0F, 0.3F};
    return angles(integers(x, {0, 3, 50}, {3}), Tensor::of(x.device(), {2}, std::span<const float>(f)), 1.25F);
  };
  return {"rope", {{3, 12}}, [=](Inputs x) { return rope(x[0], turns(x[0]), 6, pairing); }};
}

/// T rows, some of which do not count.
OpCase cross_entropy_case(std::int64_t T, std::int64_t D, std::int64_t V) {
  std::vector<std::int32_t> targets;
  std::vector<double> onehot(static_cast<std::size_t>(T * V));
  double count = 0;
  for (std::int64_t t = 0; t < T; ++t) {
    targets.push_back(t % 4 == 2 ? -1 : static_cast<std::int32_t>(t * 7 % V));
    if (targets.back() >= 0) onehot[static_cast<std::size_t>(t * V + targets.back())] = 1;
    count += targets.back() >= 0 ? 1 : 0;
  }
  return {"cross_entropy",
          {{T, D}, {V, D}},
          [=](Inputs x) { return cross_entropy(x[0], x[1], integers(x[0], targets, {T})); },
          [=](Inputs x) {
            const Tensor picked = log_softmax(matmul(x[0], transpose(x[1]))) * numbers(x[0], {T, V}, onehot);
            return scale(sum(picked), -1 / count);
          }};
}

void add_plain(std::vector<OpCase>& cases) {
  for (const auto& [a, b] : {std::pair<Shape, Shape>{{3, 5}, {3, 5}}, {{2, 3, 4}, {4}}, {{3, 1}, {2, 1, 5}}}) {
    cases.push_back({"add", {a, b}, [](Inputs x) { return x[0] + x[1]; }});
    cases.push_back({"sub", {a, b}, [](Inputs x) { return x[0] - x[1]; }});
    cases.push_back({"mul", {a, b}, [](Inputs x) { return x[0] * x[1]; }});
    cases.push_back({"div", {a, b}, [](Inputs x) { return x[0] / x[1]; }, {}, 6});
  }
  cases.push_back({"mul", {{7}}, [](Inputs x) { return x[0] * x[0]; }});
  cases.push_back({"broadcast_to", {{3, 1}}, [](Inputs x) { return broadcast_to(x[0], {2, 3, 4}); }});
  cases.push_back({"neg", {{2, 3}}, [](Inputs x) { return neg(x[0]); }});
  cases.push_back({"exp", {{2, 33}}, [](Inputs x) { return exp(x[0]); }});
  cases.push_back({"log", {{2, 3}}, [](Inputs x) { return log(x[0]); }, {}, 6});
  cases.push_back({"sqrt", {{2, 3}}, [](Inputs x) { return sqrt(x[0]); }, {}, 6});
  cases.push_back({"sigmoid", {{2, 3}}, [](Inputs x) { return sigmoid(x[0]); }});
  cases.push_back({"softplus", {{2, 3}}, [](Inputs x) { return softplus(x[0]); }});
  cases.push_back({"tanh", {{2, 3}}, [](Inputs x) { return tanh(x[0]); }});
  cases.push_back({"scale", {{2, 3}}, [](Inputs x) { return scale(x[0], 0.5, 2); }});
  cases.push_back({"sum", {{2, 3, 4}}, [](Inputs x) { return sum(x[0]); }});
  cases.push_back({"sum", {{2, 3, 4}}, [](Inputs x) { return sum(x[0], 1); }});
  cases.push_back({"mean", {{2, 3, 4}}, [](Inputs x) { return mean(x[0]); }});
  cases.push_back({"mean", {{2, 3, 4}}, [](Inputs x) { return mean(x[0], -1); }});
  cases.push_back({"sum_to", {{2, 3, 4}}, [](Inputs x) { return sum_to(x[0], {3, 1}); }});
  cases.push_back({"matmul", {{3, 5}, {5, 4}}, [](Inputs x) { return matmul(x[0], x[1]); }});
  cases.push_back({"matmul", {{2, 3, 5}, {2, 5, 4}}, [](Inputs x) { return matmul(x[0], x[1]); }});
  cases.push_back({"matmul", {{2, 3, 5}, {5, 4}}, [](Inputs x) { return matmul(x[0], x[1]); }});
  cases.push_back({"transpose", {{17, 35}}, [](Inputs x) { return transpose(x[0]); }});
  cases.push_back({"transpose", {{2, 3, 4, 5}}, [](Inputs x) { return transpose(x[0], 0, 2); }});
  cases.push_back({"slice", {{4, 5, 2}}, [](Inputs x) { return slice(x[0], 1, 1, 3); }});
  cases.push_back({"place", {{4, 2}}, [](Inputs x) { return place(x[0], 1, 3, 6); }});
  cases.push_back({"concat", {{2, 3}, {2, 1}}, [](Inputs x) { return concat(x, 1); }});
  cases.push_back({"repeat", {{2, 3}}, [](Inputs x) { return repeat(x[0], 0, 3); }});
  cases.push_back({"softmax", {{3, 7}}, [](Inputs x) { return softmax(x[0]); }});
  cases.push_back({"log_softmax", {{3, 70}}, [](Inputs x) { return log_softmax(x[0]); }});
}

void add_fused(std::vector<OpCase>& cases) {
  const auto pick = [](Inputs x) { return gather(x[0], integers(x[0], {1, 0, 1, 4}, {2, 2})); };
  cases.push_back({"gather", {{5, 3}}, pick});
  for (const Shape& shape : {Shape{3, 16}, Shape{2, 2, 33}, Shape{1, 7}, Shape{70, 300}}) {
    const Shape D{shape.width()};
    cases.push_back({"rms_norm", {shape, D}, [](Inputs x) { return rms_norm(x[0], x[1], eps); }, plain_rms_norm});
    cases.push_back(
        {"layer_norm", {shape, D, D}, [](Inputs x) { return layer_norm(x[0], x[1], x[2], eps); }, plain_layer_norm});
    cases.push_back({"l2_norm", {shape}, [](Inputs x) { return l2_norm(x[0], eps); }});
    cases.push_back({"swiglu",
                     {shape, shape},
                     [](Inputs x) { return swiglu(x[0], x[1]); },
                     [](Inputs x) { return x[0] * sigmoid(x[0]) * x[1]; }});
    cases.push_back({"gelu", {shape}, [](Inputs x) { return gelu(x[0]); }, plain_gelu});
  }
  for (const auto& [x, N] : {std::pair<Shape, std::int64_t>{{3, 5}, 4},
                             {{2, 3, 40}, 33},
                             {{1, 64}, 1},
                             {{70, 96}, 70},
                             {{600, 40}, 45},
                             {{20, 1100}, 33}}) {
    cases.push_back({"linear",
                     {x, {N, x.width()}, {N}},
                     [](Inputs x) { return linear(x[0], x[1], x[2]); },
                     [](Inputs x) { return matmul(x[0], transpose(x[1])) + x[2]; }});
  }
  for (const std::int64_t T : {9, 131}) {
    cases.push_back(
        {"linear",
         {{T, 5}, {4, 5}, {3, 5}, {3}},
         [](Inputs x) {
           const Tensor none;
           const std::array<LinearWeight, 2> two{LinearWeight{&x[1], &none}, LinearWeight{&x[2], &x[3]}};
           return concat(linear(x[0], two), 1);
         },
         [](Inputs x) {
           return concat(std::array{matmul(x[0], transpose(x[1])), matmul(x[0], transpose(x[2])) + x[3]}, 1);
         }});
  }
  cases.push_back(rope_case(Pairing::interleaved));
  cases.push_back(rope_case(Pairing::halves));
  cases.push_back(attention_case({2, 2, 4, {{0, 5, 0}}}));
  cases.push_back(attention_case({6, 2, 16, {{0, 1, 0}, {1, 7, 0}, {8, 70, 0}}}));
  cases.push_back(attention_case({4, 4, 40, {{0, 150, 0}}}));
  cases.push_back(attention_case({50, 1, 8, {{0, 3, 0}, {3, 66, 0}}}));  // more query heads than a tile has rows
  cases.push_back(attention_case({4, 2, 8, {{0, 70, 0}}}));              // rows of a tile that end at different vectors
  cases.push_back({"causal_conv", {{6, 3}, {3, 4}}, [](Inputs x) { return causal_conv(x[0], x[1]); }});
  cases.push_back({"causal_conv", {{2, 3}, {3, 4}}, [](Inputs x) { return causal_conv(x[0], x[1]); }});
  cases.push_back(cross_entropy_case(5, 6, 11));
  cases.push_back(cross_entropy_case(41, 3, 80000));  // several slices of rows, long sums in one lane
  cases.back().tolerance = 2e-4;
}

}  // namespace

std::vector<OpCase> op_cases() {
  std::vector<OpCase> cases;
  add_plain(cases);
  add_fused(cases);
  return cases;
}

}  // namespace toy::test

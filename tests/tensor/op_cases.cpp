#include "tests/tensor/op_cases.h"

#include <algorithm>
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

/// Two heads of width 6, of which the first four elements turn: by position times frequency, and longer by a quarter.
OpCase rope_case(Pairing pairing) {
  static constexpr std::array<std::int32_t, 3> positions{0, 3, 50};
  static constexpr std::array frequencies{1.0F, 0.3F};
  const auto turns = [](const Tensor& x) {
    return angles(Tensor::of(x.device(), {3}, std::span<const std::int32_t>(positions)),
                  Tensor::of(x.device(), {2}, std::span<const float>(frequencies)), 1.25F);
  };
  const auto element = [=](Arrays x, const Index& i) {
    const std::int64_t j = i[1] % 6, begin = i[1] - j;
    if (j >= 4) return x[0](i[0], i[1]);
    const bool halves = pairing == Pairing::halves, first = halves ? j < 2 : j % 2 == 0;
    const std::int64_t pair = halves ? j % 2 : j / 2;
    const double u = x[0](i[0], begin + (halves ? pair : 2 * pair));
    const double v = x[0](i[0], begin + (halves ? pair + 2 : 2 * pair + 1));
    const double turn = static_cast<double>(positions[static_cast<std::size_t>(i[0])]) *
                        static_cast<double>(frequencies[static_cast<std::size_t>(pair)]);
    const auto c = static_cast<double>(static_cast<float>(1.25 * std::cos(turn)));  // angles are F32
    const auto s = static_cast<double>(static_cast<float>(1.25 * std::sin(turn)));
    return first ? u * c - v * s : u * s + v * c;
  };
  return {"rope", {{3, 12}}, [=](Inputs x) { return rope(x[0], turns(x[0]), 6, pairing); }, {}, {{3, 12}, element}};
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

/// y[i, j] = f(x[i, j])
Definition each(Shape shape, double (*f)(double)) {
  return {shape, [=](Arrays x, const Index& i) { return f(x[0](i[0], i[1])); }};
}

/// The element that is read for element i of an output of `rank` axes: axes match from the last, and one of length 1,
/// or one that is not there, repeats.
double repeated(const Array& x, const Index& i, int rank) {
  std::int64_t place = 0;
  for (int axis = 0; axis < x.shape.rank(); ++axis) {
    const std::int64_t at = i[static_cast<std::size_t>(rank - x.shape.rank() + axis)];
    place = place * x.shape[axis] + (x.shape[axis] == 1 ? 0 : at);
  }
  return x.numbers[static_cast<std::size_t>(place)];
}

/// y[i] = f(a[i], b[i])
Definition both(Shape shape, double (*f)(double, double)) {
  return {shape, [=](Arrays x, const Index& i) {
            return f(repeated(x[0], i, shape.rank()), repeated(x[1], i, shape.rank()));
          }};
}

double sum_of(std::int64_t n, const auto& f) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += f(i);
  return sum;
}

double total(const Array& x) {
  return sum_of(x.shape.elements(), [&](auto i) { return x.numbers[static_cast<std::size_t>(i)]; });
}

/// A case with the shape of its output, and what each element is.
void define(std::vector<OpCase>& cases, OpCase c, Shape shape, std::function<double(Arrays, const Index&)> element) {
  c.definition = {shape, std::move(element)};
  cases.push_back(std::move(c));
}

void add_elementwise(std::vector<OpCase>& cases) {
  const std::vector<std::array<Shape, 3>> shapes{{{{3, 5}, {3, 5}, {3, 5}}},
                                                 {{{2, 3, 4}, {4}, {2, 3, 4}}},
                                                 {{{3, 1}, {2, 1, 5}, {2, 3, 5}}},
                                                 {{{70, 300}, {300}, {70, 300}}}};
  const auto of_two = [&](const char* op, double shift, Tensor (*f)(const Tensor&, const Tensor&),
                          double (*definition)(double, double)) {
    for (const auto& [a, b, y] : shapes) {
      cases.push_back({op, {a, b}, [f](Inputs x) { return f(x[0], x[1]); }, {}, both(y, definition), shift});
    }
  };
  of_two("add", 0, add, [](double u, double v) { return u + v; });
  of_two("sub", 0, sub, [](double u, double v) { return u - v; });
  of_two("mul", 0, mul, [](double u, double v) { return u * v; });
  of_two("div", 6, div, [](double u, double v) { return u / v; });
  const auto of_one = [&](const char* op, double shift, Tensor (*f)(const Tensor&), double (*definition)(double)) {
    for (const Shape& s : {Shape{2, 3}, Shape{70, 300}}) {
      cases.push_back({op, {s}, [f](Inputs x) { return f(x[0]); }, {}, each(s, definition), shift});
    }
  };
  of_one(
      "mul", 0, [](const Tensor& x) { return x * x; }, [](double x) { return std::pow(x, 2); });
  of_one("neg", 0, neg, [](double x) { return 0 - x; });
  of_one("exp", 0, exp, [](double x) { return std::pow(std::exp(1.0), x); });
  of_one("log", 6, log, [](double x) { return std::log2(x) / std::log2(std::exp(1.0)); });
  of_one("sqrt", 6, sqrt, [](double x) { return std::pow(x, 0.5); });
  of_one("sigmoid", 0, sigmoid, [](double x) { return std::exp(x) / (std::exp(x) + 1); });
  of_one("softplus", 0, softplus, [](double x) { return std::log(1 + std::exp(x)); });
  of_one("tanh", 0, tanh, [](double x) { return (std::exp(x) - std::exp(-x)) / (std::exp(x) + std::exp(-x)); });
  of_one(
      "scale", 0, [](const Tensor& x) { return scale(x, 0.5, 2); }, [](double x) { return x / 2 + 2; });
}

void add_sums(std::vector<OpCase>& cases) {
  const Shape s{2, 3, 4};
  define(cases, {"sum", {s}, [](Inputs x) { return sum(x[0]); }}, {},
         [](Arrays x, const Index&) { return total(x[0]); });
  define(cases, {"sum", {s}, [](Inputs x) { return sum(x[0], 1); }}, {2, 1, 4},
         [](Arrays x, const Index& i) { return sum_of(3, [&](auto j) { return x[0](i[0], j, i[2]); }); });
  define(cases, {"mean", {s}, [](Inputs x) { return mean(x[0]); }}, {},
         [](Arrays x, const Index&) { return total(x[0]) / 24; });
  define(cases, {"mean", {s}, [](Inputs x) { return mean(x[0], -1); }}, {2, 3, 1},
         [](Arrays x, const Index& i) { return sum_of(4, [&](auto j) { return x[0](i[0], i[1], j) / 4; }); });
  const auto rows = [](Inputs x) { return sum_to(x[0], Shape({3, 1})); };
  define(cases, {"sum_to", {s}, rows}, {3, 1},
         [](Arrays x, const Index& i) { return sum_of(8, [&](auto j) { return x[0](j / 4, i[0], j % 4); }); });
  const auto matmul_of = [](Inputs x) { return matmul(x[0], x[1]); };
  define(cases, {"matmul", {{3, 5}, {5, 4}}, matmul_of}, {3, 4},
         [](Arrays x, const Index& i) { return sum_of(5, [&](auto k) { return x[0](i[0], k) * x[1](k, i[1]); }); });
  define(cases, {"matmul", {{2, 3, 5}, {2, 5, 4}}, matmul_of}, {2, 3, 4}, [](Arrays x, const Index& i) {
    return sum_of(5, [&](auto k) { return x[0](i[0], i[1], k) * x[1](i[0], k, i[2]); });
  });
  define(cases, {"matmul", {{2, 3, 5}, {5, 4}}, matmul_of}, {2, 3, 4}, [](Arrays x, const Index& i) {
    return sum_of(5, [&](auto k) { return x[0](i[0], i[1], k) * x[1](k, i[2]); });
  });
  define(cases, {"softmax", {{3, 7}}, [](Inputs x) { return softmax(x[0]); }}, {3, 7}, [](Arrays x, const Index& i) {
    return std::exp(x[0](i[0], i[1])) / sum_of(7, [&](auto j) { return std::exp(x[0](i[0], j)); });
  });
  define(cases, {"log_softmax", {{3, 70}}, [](Inputs x) { return log_softmax(x[0]); }}, {3, 70},
         [](Arrays x, const Index& i) {
           return x[0](i[0], i[1]) - std::log(sum_of(70, [&](auto j) { return std::exp(x[0](i[0], j)); }));
         });
  for (const std::int64_t T : {6, 2}) {
    // The last tap is that of the element itself; before the first element there is nothing.
    define(cases, {"causal_conv", {{T, 3}, {3, 4}}, [](Inputs x) { return causal_conv(x[0], x[1]); }}, {T, 3},
           [](Arrays x, const Index& i) {
             return sum_of(std::min<std::int64_t>(i[0] + 1, 4),
                           [&](auto back) { return x[0](i[0] - back, i[1]) * x[1](i[1], 3 - back); });
           });
  }
}

void add_layouts(std::vector<OpCase>& cases) {
  const auto spread = [](Inputs x) { return broadcast_to(x[0], Shape({2, 3, 4})); };
  define(cases, {"broadcast_to", {{3, 1}}, spread}, {2, 3, 4}, [](Arrays x, const Index& i) { return x[0](i[1], 0); });
  define(cases, {"transpose", {{17, 35}}, [](Inputs x) { return transpose(x[0]); }}, {35, 17},
         [](Arrays x, const Index& i) { return x[0](i[1], i[0]); });
  define(cases, {"transpose", {{2, 3, 4, 5}}, [](Inputs x) { return transpose(x[0], 0, 2); }}, {4, 3, 2, 5},
         [](Arrays x, const Index& i) { return x[0](i[2], i[1], i[0], i[3]); });
  define(cases, {"slice", {{4, 5, 2}}, [](Inputs x) { return slice(x[0], 1, 1, 3); }}, {4, 3, 2},
         [](Arrays x, const Index& i) { return x[0](i[0], i[1] + 1, i[2]); });
  define(cases, {"place", {{4, 2}}, [](Inputs x) { return place(x[0], 1, 3, 6); }}, {4, 6},
         [](Arrays x, const Index& i) { return i[1] == 3 || i[1] == 4 ? x[0](i[0], i[1] - 3) : 0; });
  define(cases, {"concat", {{2, 3}, {2, 1}}, [](Inputs x) { return concat(x, 1); }}, {2, 4},
         [](Arrays x, const Index& i) { return i[1] < 3 ? x[0](i[0], i[1]) : x[1](i[0], 0); });
  define(cases, {"repeat", {{2, 3}}, [](Inputs x) { return repeat(x[0], 0, 3); }}, {6, 3},
         [](Arrays x, const Index& i) { return x[0](i[0] % 2, i[1]); });
  define(cases, {"repeat", {{2, 3}}, [](Inputs x) { return repeat(x[0], 1, 2); }}, {2, 6},
         [](Arrays x, const Index& i) { return x[0](i[0], i[1] % 3); });
  static constexpr std::array<std::int32_t, 4> ids{1, 0, 1, 4};
  const auto pick = [](Inputs x) { return gather(x[0], integers(x[0], {ids.begin(), ids.end()}, {2, 2})); };
  define(cases, {"gather", {{5, 3}}, pick}, {2, 2, 3},
         [](Arrays x, const Index& i) { return x[0](ids[static_cast<std::size_t>(2 * i[0] + i[1])], i[2]); });
}

void add_fused(std::vector<OpCase>& cases) {
  for (const Shape& shape : {Shape{3, 16}, Shape{2, 2, 33}, Shape{1, 7}, Shape{70, 300}}) {
    const Shape D{shape.width()};
    cases.push_back({"rms_norm", {shape, D}, [](Inputs x) { return rms_norm(x[0], x[1], eps); }, plain_rms_norm});
    cases.push_back(
        {"layer_norm", {shape, D, D}, [](Inputs x) { return layer_norm(x[0], x[1], x[2], eps); }, plain_layer_norm});
    cases.push_back({"l2_norm",
                     {shape},
                     [](Inputs x) { return l2_norm(x[0], eps); },
                     [](Inputs x) { return x[0] / sqrt(scale(sum(x[0] * x[0], -1), 1, static_cast<double>(eps))); }});
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
  cases.push_back(cross_entropy_case(5, 6, 11));
  cases.push_back(cross_entropy_case(41, 3, 80000));  // several slices of rows, long sums in one lane
  cases.back().tolerance = 2e-4;
}

}  // namespace

std::vector<OpCase> op_cases() {
  std::vector<OpCase> cases;
  add_elementwise(cases);
  add_sums(cases);
  add_layouts(cases);
  add_fused(cases);
  return cases;
}

}  // namespace toy::test

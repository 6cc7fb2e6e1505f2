// What a caller gets wrong is an Error that names it, and nothing is read beyond its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <limits>
#include <vector>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/device/trace/trace_device.h"
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
#include "toy/tensor/ops/update.h"
#include "toy/tensor/tape.h"

namespace toy {
namespace {

using testing::HasSubstr;

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

class Misuse : public testing::Test {
 protected:
  Tensor floats(Shape shape) { return Tensor::zeros(device_, shape); }
  Tensor ids(std::int64_t n) { return Tensor::zeros(device_, {n}, DType::I32); }
  CpuDevice device_{CpuOptions{.threads = 1}};
  const Tensor none_{};
};

TEST_F(Misuse, AnEmptyTensorIsAnErrorOfTheOpThatGetsIt) {
  const Tensor x = floats({2, 4}), w = floats({4}), W = floats({3, 4}), none;
  const std::vector<std::pair<std::string, std::function<void()>>> calls = {
      {"add: input 1 of 2", [&] { (void)(none + none); }},
      {"add: input 2 of 2", [&] { (void)(x + none); }},
      {"sub: input 1 of 2", [&] { (void)(none - x); }},
      {"mul: input 2 of 2", [&] { (void)(x * none); }},
      {"div: input 1 of 2", [&] { (void)(none / x); }},
      {"broadcast_to: input 1 of 1",
       [&] {
         (void)broadcast_to(none, {2, 2});
       }},
      {"add: input 1 of 2", [&] { add_in_place(none, none); }},
      {"neg: input 1 of 1", [&] { (void)neg(none); }},
      {"exp: input 1 of 1", [&] { (void)exp(none); }},
      {"scale: input 1 of 1", [&] { (void)scale(none, 2); }},
      {"gelu: input 1 of 1", [&] { (void)gelu(none); }},
      {"swiglu: input 1 of 2", [&] { (void)swiglu(none, none); }},
      {"sum: input 1 of 1", [&] { (void)sum(none); }},
      {"mean: input 1 of 1", [&] { (void)mean(none); }},
      {"squares: input 1 of 1", [&] { (void)squares(none); }},
      {"softmax: input 1 of 1", [&] { (void)softmax(none); }},
      {"log_softmax: input 1 of 1", [&] { (void)log_softmax(none); }},
      {"rms_norm: input 2 of 2", [&] { (void)rms_norm(x, none, 1e-5F); }},
      {"layer_norm: input 3 of 3", [&] { (void)layer_norm(x, w, none, 1e-5F); }},
      {"l2_norm: input 1 of 1", [&] { (void)l2_norm(none, 1e-5F); }},
      {"linear: input 2 of 2", [&] { (void)linear(x, none); }},
      {"linear: input 1 of 2", [&] { (void)linear(none, W); }},
      {"matmul: input 2 of 2", [&] { (void)matmul(x, none); }},
      {"transpose: input 1 of 1", [&] { (void)transpose(none); }},
      {"gather: input 1 of 2", [&] { (void)gather(none, ids(2)); }},
      {"scatter_add: input 2 of 2", [&] { (void)scatter_add(x, none, 3); }},
      {"slice: input 1 of 1", [&] { (void)slice(none, 0, 0, 1); }},
      {"place: input 1 of 1", [&] { (void)place(none, 0, 0, 1); }},
      {"concat: input 1 of 1",
       [&] {
         (void)concat(std::vector{none, none}, 0);
       }},
      {"repeat: input 1 of 1", [&] { (void)repeat(none, 0, 2); }},
      {"angles: input 1 of 2", [&] { (void)angles(none, w, 1); }},
      {"rope: input 2 of 2", [&] { (void)rope(x, none, 2, Pairing::halves); }},
      {"causal_conv: input 2 of 2", [&] { (void)causal_conv(x, none); }},
      {"cross_entropy: input 3 of 3", [&] { (void)cross_entropy(x, W, none); }},
      {"attention: input 1 of 1", [&] { (void)attention(none, {}, {}, 1); }},
      {"sgd_update: input 2 of 3", [&] { sgd_update(x, none, none, {}); }},
      {"adam_update: input 3 of 4", [&] { adam_update(x, x, none, none, {}); }}};
  for (const auto& [expected, call] : calls) {
    EXPECT_THAT(error_of(call), HasSubstr(expected));
    EXPECT_THAT(error_of(call), HasSubstr("is an empty Tensor"));
  }
}

TEST_F(Misuse, OptionalInputsMayBeEmpty) {
  EXPECT_EQ(linear(floats({2, 4}), floats({3, 4}), none_).shape(), (Shape{2, 3}));
  EXPECT_EQ(error_of([&] { sgd_update(floats({2}), floats({2}), none_, {}); }), "no error");
}

TEST_F(Misuse, AGradientThatIsNotThereCannotBeAdded) {
  Tensor a = floats({2}), b = floats({2});
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  Tape tape(device_);
  tape.backward(sum(a));
  EXPECT_FALSE(tape.gradient(b));
  EXPECT_THAT(error_of([&] { (void)(tape.gradient(a) + tape.gradient(b)); }), HasSubstr("add: input 2 of 2"));
}

TEST_F(Misuse, AnEmptyTensorHasNothingToGive) {
  for (const auto& call :
       std::vector<std::function<void()>>{[&] { (void)none_.device(); }, [&] { (void)none_.storage(); },
                                          [&] { (void)none_.raw(); }, [&] { (void)none_.data<float>(); },
                                          [&] { (void)none_.values<float>(); }, [&] { (void)none_.reshape({1}); }}) {
    EXPECT_THAT(error_of(call), HasSubstr("an empty Tensor"));
  }
  EXPECT_THAT(error_of([&] { (void)none_.slice(0, 1); }), HasSubstr("slice"));
  EXPECT_THAT(error_of([&] { (void)Tensor(nullptr, {2}, DType::F32); }), HasSubstr("F32 [2] has no storage"));
}

TEST_F(Misuse, ElementsAreReadAsWhatTheyAre) {
  const Tensor x = floats({2, 3});
  EXPECT_THAT(error_of([&] { (void)x.values<double>(); }), HasSubstr("F32 [2, 3] is read as another type, of 8 bytes"));
  EXPECT_THAT(error_of([&] { (void)x.data<std::int32_t>(); }), HasSubstr("F32 [2, 3]"));
  EXPECT_THAT(error_of([&] { (void)ids(2).values<float>(); }), HasSubstr("I32 [2]"));
  EXPECT_EQ(x.values<const float>().size(), 6u);
  EXPECT_EQ(x.values<std::byte>().size(), 24u);
  EXPECT_EQ(Tensor::zeros(device_, {3}, DType::F16).values<std::uint16_t>().size(), 3u);
  TraceDevice trace;
  EXPECT_THAT(error_of([&] { (void)Tensor::empty(trace, {2}).values<float>(); }), HasSubstr("part of a trace"));
  const Tensor prepared = device_.prepare(floats({40, 32}));
  if (prepared.storage().layout == Layout::panels) {
    EXPECT_THAT(error_of([&] { (void)prepared.values<float>(); }), HasSubstr("a prepared weight"));
    EXPECT_THAT(error_of([&] { (void)prepared.reshape({32, 40}); }), HasSubstr("a prepared weight"));
  }
}

TEST_F(Misuse, ShapesThatCannotBe) {
  const Tensor x = floats({4, 6});
  EXPECT_THAT(error_of([&] { (void)Shape{most, 3}; }), HasSubstr("too many elements"));
  EXPECT_THAT(error_of([&] { (void)Shape{std::int64_t{1} << 40, std::int64_t{1} << 40, 0}; }), HasSubstr("too many"));
  EXPECT_THAT(error_of([&] { (void)x.shape()[2]; }), HasSubstr("[4, 6] has no axis 2"));
  EXPECT_THAT(error_of([&] { (void)x.shape()[-3]; }), HasSubstr("no axis -3"));
  EXPECT_EQ(x.shape()[-1], 6);
  EXPECT_THAT(error_of([&] { (void)x.slice(2, most); }), HasSubstr("of [4, 6]"));
  EXPECT_THAT(error_of([&] { (void)x.slice(most, 1); }), HasSubstr("of [4, 6]"));
  EXPECT_THAT(error_of([&] { (void)slice(x, 0, most, 2); }), HasSubstr("not inside the axis"));
  EXPECT_THAT(error_of([&] { (void)place(x, 0, most, 5); }), HasSubstr("not inside the axis"));
  EXPECT_THAT(error_of([&] { (void)repeat(x, 0, most); }), HasSubstr("repeat"));
  EXPECT_THAT(error_of([&] { (void)Tensor::empty(device_, {2, 33}, DType::Q8_0); }), HasSubstr("a multiple of 32"));
  const Tensor blocks = Tensor::zeros(device_, {64}, DType::Q8_0);
  EXPECT_THAT(error_of([&] { (void)blocks.slice(16, 32); }), HasSubstr("whole blocks of 32"));
  EXPECT_THAT(error_of([&] { (void)blocks.reshape({4, 16}); }), HasSubstr("no multiple of 32"));
  const auto storage = device_.allocate(16);
  EXPECT_THAT(error_of([&] { (void)Tensor(storage, {5}, DType::F32); }), HasSubstr("storage of 16 bytes"));
  EXPECT_THAT(error_of([&] { (void)Tensor(storage, {4}, DType::F32, 4); }), HasSubstr("from byte 4 on"));
  EXPECT_EQ(error_of([&] { (void)Tensor(storage, {3}, DType::F32, 4); }), "no error");
}

TEST_F(Misuse, KeysThatAreNotOnesOfTheQueries) {
  const Tensor q = floats({3, 4});
  const Segment segment{0, 3, 0};
  KeyValues kv;
  kv.kv_heads = 1;
  kv.d = 2;
  kv.k = kv.v = floats({2, 2});
  EXPECT_THAT(error_of([&] { (void)attention(q, kv, {&segment, 1}, 1); }), HasSubstr("k and v [T, kv_heads * d]"));
  kv.k = kv.v = floats({3, 2});
  const std::array apart{Segment{0, 1, 0}, Segment{2, 2, 0}};
  EXPECT_THAT(error_of([&] { (void)attention(q, kv, apart, 1); }), HasSubstr("do not follow each other"));
  const std::array negative{Segment{0, 4, 0}, Segment{4, -1, 0}};
  EXPECT_THAT(error_of([&] { (void)attention(q, kv, negative, 1); }), HasSubstr("do not follow each other"));
  EXPECT_THAT(error_of([&] {
                (void)rope(q, Tensor::zeros(device_, {3, 2}, DType::F64), 2, Pairing::halves);
              }),
              HasSubstr("angles [T, R] F32"));
}

/// The backward of an op is a function of its own: what it gets is checked as well.
TEST_F(Misuse, GradientsThatAreNotThoseOfTheOp) {
  const Tensor x = floats({2, 4}), W = floats({3, 4}), none;
  const auto backward = [&](const Tensor& weight, std::vector<Tensor> dy) {
    const LinearWeight one{&weight, &none};
    return error_of([&] { (void)linear_backward(x, {&one, 1}, dy); });
  };
  EXPECT_THAT(backward(W, {}), HasSubstr("linear_backward: 0 gradients for 1 weights"));
  EXPECT_THAT(backward(floats({3, 9}), {floats({2, 3})}), HasSubstr("linear_backward: expected x [..., K]"));
  EXPECT_THAT(backward(floats({3}), {floats({2, 3})}), HasSubstr("linear_backward: expected x [..., K]"));
  const LinearWeight nothing{nullptr, nullptr};
  EXPECT_THAT(error_of([&] { (void)linear(x, {&nothing, 1}); }), HasSubstr("linear: expected the addresses"));
  EXPECT_THAT(error_of([&] { (void)causal_conv_backward(x, floats({9, 2}), x); }), HasSubstr("w [C, k]"));
  const Segment segment{0, 2, 0};
  KeyValues kv;
  kv.kv_heads = 1;
  kv.d = 2;
  kv.k = kv.v = floats({1, 2});
  const Tensor softmax = floats({2, 2, 2});
  EXPECT_THAT(error_of([&] {
                (void)attention_backward(x, kv, x, softmax, x, {&segment, 1}, 1);
              }),
              HasSubstr("k and v [T, kv_heads * d]"));
  kv.k = kv.v = floats({2, 2});
  const Segment longer{0, 9, 0};
  EXPECT_THAT(error_of([&] {
                (void)attention_backward(x, kv, x, softmax, x, {&longer, 1}, 1);
              }),
              HasSubstr("the segments do not add up to the rows"));
  EXPECT_THAT(error_of([&] { append(kv.k, kv.v, {&segment, 1}, kv); }), HasSubstr("the pages of every segment"));
}

TEST_F(Misuse, DevicesTakeWhatIsTheirs) {
  TraceDevice trace;
  for (Device* device : {static_cast<Device*>(&device_), static_cast<Device*>(&trace)}) {
    EXPECT_THAT(error_of([&] { (void)device->allocate(-1); }), HasSubstr("found -1"));
  }
  EXPECT_THAT(error_of([&] { (void)trace.value(9); }), HasSubstr("no value has the id 9"));
  if (device_.prepare(floats({40, 32})).storage().layout == Layout::panels) {
    EXPECT_THAT(error_of([&] {
                  (void)device_.prepare(trace.parameter("w", {40, 32}, DType::F32));
                }),
                HasSubstr("another device"));
  }
}

TEST_F(Misuse, WhatATapeCannotWalkBack) {
  Tensor a = floats({});
  a.set_requires_grad(true);
  CpuDevice other({.threads = 1});
  Tensor far = Tensor::zeros(other, {});
  far.set_requires_grad(true);
  Tape tape(device_);
  EXPECT_THAT(error_of([&] { tape.backward(none_); }), HasSubstr("backward: expected a scalar, found an empty Tensor"));
  EXPECT_THAT(error_of([&] { tape.backward(none_, a); }), HasSubstr("backward: the value is an empty Tensor"));
  EXPECT_THAT(error_of([&] { tape.backward(a, none_); }), HasSubstr("backward: the gradient is an empty Tensor"));
  EXPECT_THAT(error_of([&] { tape.backward(far); }), HasSubstr("another device"));
  EXPECT_THAT(error_of([&] { (void)tape.gradient(none_); }), HasSubstr("an empty Tensor"));
  EXPECT_THAT(error_of([&] { (void)tape.gradient(far); }), HasSubstr("another device"));
  EXPECT_THAT(error_of([&] {
                (void)cross_entropy(floats({1, 2}), floats({3, 2}), ids(1), -1);
              }),
              HasSubstr("count of 0 or more"));
}

}  // namespace
}  // namespace toy

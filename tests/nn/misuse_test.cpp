// Batches and caches that cannot be are an Error that says what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "toy/nn/attention.h"
#include "toy/nn/context.h"
#include "toy/nn/linear.h"
#include "toy/nn/rope.h"
#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/io/expect_error.h"

namespace toy {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(MisuseOfNn, CachesKnowTheirLayersAndTheirRoom) {
  CpuDevice device({.threads = 1});
  KVCache cache(device, {2, 1, 4}, DType::F32);
  EXPECT_THAT(error_of([&] { (void)cache.pages(2); }), HasSubstr("KV cache: layer 2 of 2"));
  EXPECT_THAT(error_of([&] { cache.reserve(-1, 3); }), HasSubstr("KV cache: layer -1 of 2"));
  EXPECT_THAT(error_of([&] { cache.set_length(-1); }), HasSubstr("found -1"));
  cache.reserve(0, 3);
  EXPECT_THAT(error_of([&] { cache.set_length(3); }), HasSubstr("a length of 3 is beyond the room for 0 positions"));
  cache.reserve(1, 3);
  cache.set_length(3);
  EXPECT_EQ(cache.length(), 3);
  EXPECT_THAT(error_of([&] { KVCache(device, {-1, 1, 4}, DType::F32); }), HasSubstr("found -1 layers"));
}

TEST(MisuseOfNn, BatchesAreWholeAndHaveTheirCaches) {
  CpuDevice device({.threads = 1});
  const auto context = [&](std::vector<Segment> segments, std::vector<KVCache*> caches = {}) {
    Batch batch;
    batch.ids = {1, 2, 3};
    batch.segments = std::move(segments);
    batch.caches = std::move(caches);
    return error_of([&] { Context(device, std::move(batch)); });
  };
  EXPECT_THAT(context({{0, 3, 0}, {3, -1, 0}}), HasSubstr("a segment of -1 tokens behind 0"));
  EXPECT_THAT(context({{0, 3, -2}}), HasSubstr("a segment of 3 tokens behind -2"));
  EXPECT_THAT(context({{0, 3, 0}}, {nullptr}), HasSubstr("segment 0 has no KV cache"));
}

TEST(MisuseOfNn, CachesThatMovedAwayOrLieElsewhere) {
  CpuDevice device({.threads = 1}), other({.threads = 1});
  KVCache cache(device, {2, 1, 4}, DType::F32);
  const KVCache moved = std::move(cache);
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): this is the misuse
  EXPECT_THAT(error_of([&] { (void)cache.pages(0); }), HasSubstr("KV cache: layer 0 of 0"));
  KVCache far(other, {2, 1, 4}, DType::F32);
  Batch batch;
  batch.ids = {1};
  batch.segments = {{0, 1, 0}};
  batch.caches = {&far};
  EXPECT_THAT(error_of([&] { Context(device, batch); }), HasSubstr("the KV cache of segment 0 lies on another device"));
}

TEST(MisuseOfNn, AxesHeadsAndRotationsThatCannotBe) {
  CpuDevice device({.threads = 1});
  Batch batch;
  batch.ids = {1};
  batch.segments = {{0, 1, 0}};
  Context ctx(device, batch);
  const Tensor x = Tensor::zeros(device, {1, 4});
  EXPECT_THAT(error_of([&] { ctx.bind(Axis{'\xE9'}, 3); }), HasSubstr("233 is no letter of an axis"));
  EXPECT_THAT(error_of([&] { ctx.bind(axes::D, -1); }), HasSubstr("found -1"));
  EXPECT_THAT(error_of([&] { (void)ctx.expect("x", x, {axes::T, Axis{'\xE9'}}); }), HasSubstr("no letter of an axis"));
  EXPECT_THAT(error_of([&] { (void)ctx.state(0).append(x, x, 0); }), HasSubstr("head width of at least 1, found 0"));
  for (const AttentionOptions& o : {AttentionOptions{4, 2, 1, 0}, AttentionOptions{4, 0, 1, 2},
                                    AttentionOptions{4, 2, 0, 2}, AttentionOptions{4, 3, 2, 2}}) {
    EXPECT_THAT(error_of([&] { Attention(o, 0, nullptr); }), HasSubstr("multiple of those of keys"));
  }
  EXPECT_THAT(error_of([] { (void)rope_frequencies({.width = 3}); }), HasSubstr("an even width, found 3"));
  EXPECT_THAT(error_of([] { (void)rope_frequencies({.width = -2}); }), HasSubstr("an even width, found -2"));
  EXPECT_THAT(error_of([&] { RoPE(4, {.width = 4}).build(device, Tensor::of(device, {1}, std::array{1.0F})); }),
              HasSubstr("expected 2 divisors of the frequencies, found 1"));
  const RoPE unbuilt(4, {.width = 4});
  EXPECT_THAT(error_of([&] { (void)unbuilt(x, ctx); }), HasSubstr("angles: input 2 of 2 is an empty Tensor"));
}

TEST(MisuseOfNn, ABlockWithoutItsWeightSaysSo) {
  CpuDevice device({.threads = 1});
  const Tensor x = Tensor::zeros(device, {2, 4});
  EXPECT_THAT(error_of([&] { (void)Linear(4, 3)(x); }), HasSubstr("linear: input 2 of 2 is an empty Tensor"));
  EXPECT_THAT(error_of([&] { (void)Embedding(4, 3)(Tensor::zeros(device, {1}, DType::I32)); }),
              HasSubstr("gather: input 1 of 2 is an empty Tensor"));
}

}  // namespace
}  // namespace toy

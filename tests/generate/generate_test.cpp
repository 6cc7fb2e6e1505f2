// Generation, sampling and scoring at their edges.
#include "toy/generate/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <utility>

#include "toy/generate/memory.h"
#include "toy/generate/score.h"
#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/generate/random_model.h"

namespace toy {
namespace {

class Generating : public testing::Test {
 protected:
  Generating() : file_({.D = 64, .L = 1, .H = 2, .K = 1, .F = 96}), lm_(LanguageModel::open(file_.path(), device_)) {}

  Generation run(std::vector<std::int32_t> ids, GenerateOptions options, const std::stop_token& cancel = {}) {
    options.ignore_eos = true;
    return generate(lm_, ids, options, {}, cancel);
  }

  CpuDevice device_;
  test::ModelFile file_;
  LanguageModel lm_;
};

TEST_F(Generating, ContextEndsBeforeN) {
  const auto g = run({1, 2, 3}, {.n = 100, .engine = {.context = 10}});
  EXPECT_EQ(g.ids.size(), 7U);  // prompt and answer together
  EXPECT_EQ(g.stop, StopReason::length);
  EXPECT_TRUE(g.context_full);
}

TEST_F(Generating, PromptAndAnswerShareTheContext) {
  const auto exact = run({1, 2, 3}, {.n = 7, .engine = {.context = 10}});
  EXPECT_EQ(exact.ids.size(), 7U);
  EXPECT_FALSE(exact.context_full);
  const auto none = run({1, 2, 3}, {.n = 1, .engine = {.context = 3}});
  EXPECT_TRUE(none.ids.empty());
  EXPECT_TRUE(none.context_full);
  EXPECT_FALSE(run({1, 2, 3}, {.n = 0, .engine = {.context = 3}}).context_full);
  // A stop string that the last token completes is the reason, not the context.
  const std::string text = run({1, 2, 3}, {.n = 7}).text;
  const auto stopped = run({1, 2, 3}, {.n = 8, .engine = {.context = 10}, .stop = {text}});
  EXPECT_EQ(stopped.stop, StopReason::stop);
  EXPECT_FALSE(stopped.context_full);
}

TEST_F(Generating, RefusesWhatCannotBeDone) {
  const auto message = [&](std::vector<std::int32_t> ids, const GenerateOptions& options) {
    try {
      run(std::move(ids), options);
    } catch (const Error& e) {
      EXPECT_EQ(e.fault(), Fault::asked_wrongly);
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(message({}, {}), testing::HasSubstr("empty"));
  EXPECT_THAT(message({1, 259}, {}), testing::HasSubstr("token id 259 (number 2 of the prompt)"));
  EXPECT_THAT(message({-1}, {}), testing::HasSubstr("token id -1"));
  EXPECT_THAT(message({1, 2, 3, 4, 5}, {.engine = {.context = 4}}),
              testing::AllOf(testing::HasSubstr("5 tokens"), testing::HasSubstr("context 4")));
  EXPECT_THAT(message({1}, {.n = -1}), testing::HasSubstr("found -1"));
  EXPECT_THAT(message({1}, {.sampling = {.top_p = 0}}), testing::HasSubstr("top-p"));
}

TEST_F(Generating, NoTokensIsAnAnswer) {
  const auto g = run({1}, {.n = 0});
  EXPECT_TRUE(g.ids.empty());
  EXPECT_EQ(g.stop, StopReason::length);
}

TEST_F(Generating, CancelEndsInGoodOrder) {
  std::stop_source source;
  source.request_stop();
  const auto g = run({1, 2}, {.n = 5}, source.get_token());
  EXPECT_EQ(g.stop, StopReason::interrupted);
  EXPECT_TRUE(g.ids.empty());
  EXPECT_EQ(g.prefill_tokens_per_second, 0) << "the prompt was not read either";
}

TEST_F(Generating, SameSeedSameTokens) {
  const GenerateOptions options{.n = 30, .sampling = {.temperature = 1, .seed = 7}};
  const auto a = run({1}, options), b = run({1}, options);
  auto other = options;
  other.sampling.seed = 8;
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_NE(a.ids, run({1}, other).ids);
}

TEST(Sampler, DrawsFromTheSoftmaxOfWhatIsKept) {
  const std::vector<float> logits{std::log(0.5F), std::log(0.3F), std::log(0.15F), std::log(0.05F)};
  const auto share = [&](SamplingOptions options) {
    options.temperature = 1;
    Sampler sampler(options);
    std::vector<double> counts(4);
    for (int i = 0; i < 20000; ++i) counts[static_cast<std::size_t>(sampler(logits))] += 1.0 / 20000;
    return counts;
  };
  using testing::DoubleNear;
  using testing::ElementsAre;
  EXPECT_THAT(share({}), ElementsAre(DoubleNear(0.5, 0.02), DoubleNear(0.3, 0.02), DoubleNear(0.15, 0.02),
                                     DoubleNear(0.05, 0.02)));
  EXPECT_THAT(share({.top_k = 2}), ElementsAre(DoubleNear(0.625, 0.02), DoubleNear(0.375, 0.02), 0, 0));
  EXPECT_THAT(share({.top_p = 0.75F}), ElementsAre(DoubleNear(0.625, 0.02), DoubleNear(0.375, 0.02), 0, 0));
  EXPECT_THAT(share({.min_p = 0.25F}),
              ElementsAre(DoubleNear(0.526, 0.02), DoubleNear(0.316, 0.02), DoubleNear(0.158, 0.02), 0));
}

/// A twin that sorts everything: which tokens are kept, and with which probability, for a vocabulary larger than the
/// part that the sampler sorts at once.
std::vector<double> kept_probabilities(const std::vector<float>& logits, const SamplingOptions& o) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  if (o.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(o.top_k)));
  double all = 0, kept = 0;
  const auto weight = [&](std::size_t i) { return std::exp(static_cast<double>(logits[i] - logits[order[0]])); };
  for (const std::size_t i : order) all += weight(i);
  std::vector<double> p(logits.size());
  for (const std::size_t i : order) {
    const bool enough = kept >= static_cast<double>(o.top_p) * all, small = weight(i) < static_cast<double>(o.min_p);
    if (kept > 0 && (enough || small)) break;
    kept += p[i] = weight(i);
  }
  for (double& x : p) x /= kept;
  return p;
}

TEST(Sampler, PartialSortingKeepsTheSameTokens) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> logits(400);
  for (float& x : logits) x = std::round(normal(random) * 8) / 8;  // many equals
  constexpr int draws = 10000;
  for (SamplingOptions o : {SamplingOptions{},
                            {.top_k = 1},
                            {.top_k = 64},
                            {.top_k = 65},
                            {.top_k = 399},
                            {.top_p = 0.5F},
                            {.top_p = 0.97F},
                            {.min_p = 0.05F},
                            {.top_k = 100, .top_p = 0.9F}}) {
    o.temperature = 1;
    SCOPED_TRACE(testing::Message() << "top_k " << o.top_k << " top_p " << o.top_p << " min_p " << o.min_p);
    const auto expected = kept_probabilities(logits, o);
    Sampler sampler(o);
    std::vector<double> share(logits.size());
    for (int i = 0; i < draws; ++i) share[static_cast<std::size_t>(sampler(logits))] += 1.0 / draws;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      EXPECT_NEAR(share[i], expected[i], 6 * std::sqrt(expected[i] / draws) + 1e-12) << i;
    }
  }
}

TEST(Sampler, GreedyTakesTheLowestOfEqualsAndNoNaN) { EXPECT_EQ(most_likely(std::vector<float>{NAN, 1, 3, 3}), 2); }

TEST_F(Generating, WindowsScoreEveryTokenOnceWithEnoughBefore) {
  std::vector<std::int32_t> ids(100);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i * 37 % 259);
  const EngineOptions engine{.kv = DType::F32};
  const Score whole = score(lm_, ids, {.engine = engine});
  const Score cut = score(lm_, ids, {.engine = engine, .window = 40, .stride = 15});
  ASSERT_EQ(cut.count, 99);
  EXPECT_FALSE(cut.tokens[0].logprob);
  for (std::size_t i = 1; i < 40; ++i) EXPECT_EQ(*cut.tokens[i].logprob, *whole.tokens[i].logprob) << i;
  for (std::size_t i = 40; i < 100; ++i) {
    // The window that scores token i begins at a multiple of the stride and leaves 25 tokens or more before it.
    const std::size_t begin = (i - 40) / 15 * 15 + 15;
    const auto window = std::span(ids).subspan(begin, i + 1 - begin);
    EXPECT_GE(window.size() - 1, 25U);
    EXPECT_EQ(*score(lm_, window, {.engine = engine}).tokens.back().logprob, *cut.tokens[i].logprob) << i;
  }
}

TEST_F(Generating, EngineRefusesWhatWouldMixSequences) {
  Engine engine(*lm_.model, device_), other(*lm_.model, device_, {.kv = DType::F32});
  KVCache a = engine.sequence(), b = other.sequence();
  const std::vector<std::int32_t> ids{1, 2};
  const Engine::Feed twice[] = {{&a, ids}, {&a, ids}}, mixed[] = {{&a, ids}, {&b, ids}};
  EXPECT_THROW(engine.hidden({}), Error);
  EXPECT_THROW(engine.hidden(twice), Error);
  EXPECT_THROW(engine.hidden(mixed), Error);
  EXPECT_EQ(a.length(), 0);
}

TEST_F(Generating, TopKHoldsTheBestOfEveryRow) {
  const Score s = score(lm_, std::vector<std::int32_t>{1, 5, 9}, {.top_k = 259});
  double sum = 0;
  for (const auto& [logprob, id] : s.tokens[2].top) sum += std::exp(static_cast<double>(logprob));
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_TRUE(std::ranges::is_sorted(s.tokens[2].top, std::greater<>(), [](const auto& p) { return p.first; }));
}

TEST_F(Generating, StoredTypesCostLittle) {
  const test::ModelFile file({.D = 256, .L = 2, .H = 4, .K = 2, .F = 512, .deviation = 0.03F});
  const auto lm = LanguageModel::open(file.path(), device_);
  std::vector<std::int32_t> ids(200);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i * 37 % 259);
  const auto perplexity = [&](DType kv) { return score(lm, ids, {.engine = {.kv = kv}}).perplexity; };
  const double exact = perplexity(DType::F32);
  EXPECT_NEAR(perplexity(DType::F16), exact, 1e-3 * exact);
  EXPECT_NEAR(perplexity(DType::Q8_0), exact, 5e-3 * exact);
}

TEST_F(Generating, EstimateCountsTheWeights) {
  std::int64_t bytes = 0;
  for (const TensorInfo& t : lm_.file.tensors()) {
    bytes += t.shape.rank() == 2 ? device_.prepared_bytes(t.dtype, t.shape[0], t.shape[1])
                                 : static_cast<std::int64_t>(t.bytes);
  }
  EXPECT_EQ(estimate_memory(lm_.file, device_, DType::F16, 128, 1).weights, bytes);
}

TEST_F(Generating, EstimateCountsTheCache) {
  const auto m = estimate_memory(lm_.file, device_, DType::F16, 128, 3);
  EXPECT_EQ(m.kv, 3 * 128 * 2 * 32 * 2);  // sequences, positions, k and v, head width, two bytes
  KVCache cache(device_, lm_.model->kv_shape(), DType::F16);
  cache.reserve(0, 128);
  EXPECT_EQ(3 * cache.bytes(), m.kv);
}

TEST_F(Generating, WhatIsNotThereIsRefused) {
  const auto error = [](const std::function<void()>& f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  Engine engine(*lm_.model, device_);
  const std::vector<std::int32_t> ids{1, 2};
  const Engine::Feed feed{nullptr, ids};
  EXPECT_EQ(error([&] { (void)engine.hidden({&feed, 1}); }), "engine: a feed without a sequence");
  KVCache* const none = nullptr;
  EXPECT_EQ(error([&] { (void)engine.decode({&none, 1}, {ids.data(), 1}); }), "engine: a feed without a sequence");
  for (const float temperature : {0.0F, 1.0F}) {
    Sampler sampler({.temperature = temperature});
    EXPECT_EQ(error([&] { (void)sampler({}); }), "sampler: there are no logits");
  }
  EXPECT_EQ(error([&] { (void)estimate_memory(lm_.file, device_, DType::F16, 0, 1); }),
            "estimate_memory: expected 1 or more, found 0 tokens of 1 sequences, in chunks of 512");
  const std::unique_ptr<Model> model = std::exchange(lm_.model, nullptr);
  EXPECT_EQ(error([&] { (void)generate(lm_, ids, {}); }), "language model: nothing is loaded");
  EXPECT_EQ(error([&] { (void)score(lm_, ids, {}); }), "language model: nothing is loaded");
  EXPECT_EQ(error([] { (void)most_likely({}); }), "most_likely: there are no logits");
  EXPECT_EQ(error([] { (void)largest(std::vector{1.0F}, -1); }), "largest: expected 0 or more values, found -1");
}

}  // namespace
}  // namespace toy

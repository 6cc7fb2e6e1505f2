// Same bytes of logits, whatever the threads, the cut of the prompt, the batch and the slot.
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "toy/generate/engine.h"
#include "toy/generate/language_model.h"
#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/generate/random_model.h"

namespace toy {
namespace {

using Logits = std::vector<float>;

std::vector<std::int32_t> prompt(std::size_t length, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int32_t> ids(length);
  for (auto& id : ids) id = static_cast<std::int32_t>(random() % 259);
  return ids;
}

Logits copy(const Tensor& t, std::int64_t row = 0) {
  const auto V = static_cast<std::size_t>(t.width());
  const auto values = t.values<float>().subspan(static_cast<std::size_t>(row) * V, V);
  return {values.begin(), values.end()};
}

/// Logits after the prompt, and after two more tokens fed one by one.
std::vector<Logits> run_alone(Engine& engine, std::span<const std::int32_t> ids, std::size_t chunk) {
  KVCache sequence = engine.sequence();
  Tensor last;
  for (std::size_t at = 0; at < ids.size(); at += chunk) {
    last = engine.prefill(sequence, ids.subspan(at, std::min(chunk, ids.size() - at)));
  }
  std::vector<Logits> all{copy(last)};
  for (const std::int32_t id : {7, 11}) {
    KVCache* const one = &sequence;
    all.push_back(copy(engine.decode({&one, 1}, {&id, 1})));
  }
  return all;
}

/// The same for a sequence that shares every forward with seven others of other lengths.
std::vector<Logits> run_among_eight(Engine& engine, std::span<const std::int32_t> ids, std::size_t slot) {
  std::vector<KVCache> sequences;
  std::vector<std::vector<std::int32_t>> prompts;
  for (std::size_t i = 0; i < 8; ++i) {
    sequences.push_back(engine.sequence());
    prompts.push_back(i == slot ? std::vector(ids.begin(), ids.end()) : prompt(3 + 17 * i, 100 + i));
  }
  std::vector<Engine::Feed> feeds;
  for (std::size_t i = 0; i < 8; ++i) feeds.push_back({&sequences[i], prompts[i], Engine::Want::last});
  const auto row = static_cast<std::int64_t>(slot);
  std::vector<Logits> all{copy(engine.logits(engine.hidden(feeds)), row)};
  std::vector<KVCache*> pointers;
  pointers.reserve(sequences.size());
  for (KVCache& s : sequences) pointers.push_back(&s);
  for (const std::int32_t id : {7, 11}) {
    std::vector<std::int32_t> next(8, 42);
    next[slot] = id;
    all.push_back(copy(engine.decode(pointers, next), row));
  }
  return all;
}

class Invariance : public testing::TestWithParam<std::tuple<DType, DType>> {};

TEST_P(Invariance, SameBytesOnEveryLevel) {
  const auto [weights, kv] = GetParam();
  const test::ModelFile file({.type = weights});
  const auto ids = prompt(150, 5);
  for (const std::string_view level : cpu_levels()) {
    if (level == "ref" && (kv != DType::F16 || weights != DType::Q8_0)) continue;  // slow, one code for all types
    CpuDevice device({.threads = 1, .simd_level = std::string(level)});
    const auto lm = LanguageModel::open(file.path(), device);
    Engine engine(*lm.model, device, {.kv = kv});
    const auto expected = run_alone(engine, ids, ids.size());
    ASSERT_TRUE(std::isfinite(expected[0][0]));
    EXPECT_EQ(run_alone(engine, ids, 1), expected) << level << ": token by token";
    EXPECT_EQ(run_alone(engine, ids, 7), expected) << level << ": chunks of 7";
    for (const int threads : {2, 3}) {
      device.set_threads(threads);
      EXPECT_EQ(run_alone(engine, ids, ids.size()), expected) << level << ": " << threads << " threads";
      EXPECT_EQ(run_alone(engine, ids, 7), expected) << level << ": " << threads << " threads, chunks of 7";
    }
    for (const std::size_t slot : {0U, 3U, 7U}) {
      EXPECT_EQ(run_among_eight(engine, ids, slot), expected) << level << ": slot " << slot << " of 8";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Invariance,
                         testing::Combine(testing::Values(DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0,
                                                          DType::Q6_K),
                                          testing::Values(DType::F16, DType::F32, DType::Q8_0)),
                         [](const auto& info) {
                           return std::string(name(std::get<0>(info.param))) + "_kv_" +
                                  std::string(name(std::get<1>(info.param)));
                         });

}  // namespace
}  // namespace toy

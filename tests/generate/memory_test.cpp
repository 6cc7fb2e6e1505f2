// KV cache and activations take at most 1.1 times their theoretical bytes, measured where the device takes memory.
#include <gtest/gtest.h>

#include "toy/generate/engine.h"
#include "toy/generate/language_model.h"
#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/generate/random_model.h"

namespace toy {
namespace {

constexpr double allowed = 1.1;

/// Bytes of n elements as the format stores them: Q8_0 has one scale (two bytes) for 32 elements.
double stored_bytes(DType dtype, std::int64_t n) {
  const double per_element = dtype == DType::F32 ? 4 : dtype == DType::F16 ? 2 : 1 + 2.0 / 32;
  return per_element * static_cast<double>(n);
}

class MemoryBound : public testing::TestWithParam<DType> {
 protected:
  const test::RandomModel sizes_{.D = 256, .L = 3, .H = 8, .K = 2, .F = 512, .type = GetParam()};
  const test::ModelFile file_{sizes_};
  CpuDevice device_{{.threads = 2}};
  const LanguageModel lm_ = LanguageModel::open(file_.path(), device_);
};

/// Theory: layers x (K and V) x KV heads x head width x bytes of an element, for every position of a full page.
TEST_P(MemoryBound, KeysAndValues) {
  for (const DType kv : {DType::F16, DType::F32, DType::Q8_0}) {
    Engine engine(*lm_.model, device_, {.kv = kv});
    const std::int64_t before = device_.kept_bytes();
    KVCache sequence = engine.sequence();
    for (const std::int64_t positions : {64, 192, 448}) {
      const std::vector<std::int32_t> ids(static_cast<std::size_t>(positions - sequence.length()), 5);
      (void)engine.prefill(sequence, ids);
      const double theory = stored_bytes(kv, sizes_.L * 2 * sizes_.K * (sizes_.D / sizes_.H) * positions);
      const auto taken = static_cast<double>(device_.kept_bytes() - before);
      EXPECT_GE(taken, theory) << name(kv) << " " << positions;
      EXPECT_LE(taken, allowed * theory) << name(kv) << " " << positions;
    }
  }
}

/// Theory: the largest total of tensors that are alive together in one forward and its logits, from the trace.
TEST_P(MemoryBound, Activations) {
  for (const auto& [sequences, tokens] : {std::pair{1, 512}, {1, 100}, {8, 1}, {8, 60}}) {
    Engine engine(*lm_.model, device_);
    std::vector<KVCache> caches;
    caches.reserve(static_cast<std::size_t>(sequences));
    for (int i = 0; i < sequences; ++i) caches.push_back(engine.sequence());
    const std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens), 5);
    std::vector<Engine::Feed> feeds;
    feeds.reserve(caches.size());
    for (KVCache& cache : caches) feeds.push_back({&cache, ids});
    (void)engine.logits(engine.hidden(feeds));

    TraceDevice trace;
    const auto traced = trace_model(lm_.file, trace);
    Engine same(*traced, trace);
    std::vector<KVCache> traced_caches;
    traced_caches.reserve(caches.size());
    for (int i = 0; i < sequences; ++i) traced_caches.push_back(same.sequence());
    for (std::size_t i = 0; i < feeds.size(); ++i) feeds[i].sequence = &traced_caches[i];
    (void)same.logits(same.hidden(feeds));

    // Each thread beyond the first, of which the trace knows, has its own room for blocks of attention.
    const double rooms = 4.0 * static_cast<double>(attention_scratch(sizes_.D / sizes_.H));
    const double theory = static_cast<double>(trace.peak_bytes()) + rooms * (device_.threads() - 1);
    const auto taken = static_cast<double>(device_.activation_peak_bytes());
    EXPECT_GE(taken, 0.5 * theory) << sequences << " x " << tokens;
    EXPECT_LE(taken, allowed * theory) << sequences << " x " << tokens;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, MemoryBound, testing::Values(DType::F32, DType::Q8_0),
                         [](const auto& info) { return std::string(name(info.param)); });

}  // namespace
}  // namespace toy

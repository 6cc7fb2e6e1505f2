// Recorded baselines: what the committed model said when they were recorded, confirmed by another runtime.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

#include "toy/generate/generate.h"
#include "toy/generate/score.h"
#include "toy/tensor/device/cpu/cpu_device.h"

namespace toy {
namespace {

class Baseline : public testing::Test {
 protected:
  const std::filesystem::path data_ = TOY_TEST_DATA;
  const nlohmann::json recorded_ = nlohmann::json::parse(std::ifstream(data_ / "baselines" / "llama-gqa-tied.json"));
  CpuDevice device_;
  const LanguageModel lm_ = LanguageModel::open(data_ / recorded_.at("model").get<std::string>(), device_);
};

TEST_F(Baseline, GreedyIds) {
  const auto& greedy = recorded_.at("greedy");
  const auto expected = greedy.at("ids").get<std::vector<std::int32_t>>();
  const auto found =
      generate(lm_, greedy.at("prompt_ids").get<std::vector<std::int32_t>>(),
               {.n = static_cast<std::int64_t>(expected.size()), .engine = {.kv = DType::F32}, .ignore_eos = true});
  EXPECT_EQ(found.ids, expected);
}

TEST_F(Baseline, Logprobs) {
  const auto& logprobs = recorded_.at("logprobs");
  const auto found = score(lm_, logprobs.at("ids").get<std::vector<std::int32_t>>(), {.engine = {.kv = DType::F32}});
  ASSERT_EQ(found.tokens.size(), logprobs.at("logprobs").size());
  for (std::size_t i = 1; i < found.tokens.size(); ++i) {
    EXPECT_NEAR(*found.tokens[i].logprob, logprobs.at("logprobs")[i].get<float>(), 2e-5) << i;
  }
}

}  // namespace
}  // namespace toy

// The forward against PyTorch: hidden states, logits, loss, greedy tokens.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <map>

#include "toy/generate/generate.h"
#include "toy/generate/score.h"
#include "toy/io/safetensors.h"
#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/models/reference.h"

namespace toy {
namespace {

double largest_error(std::span<const float> found, std::span<const float> expected) {
  EXPECT_EQ(found.size(), expected.size());
  double error = 0;
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    error = std::max(error, std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
    if (std::isnan(found[i])) return INFINITY;
  }
  return error;
}

double largest_value(std::span<const float> x) {
  double top = 0;
  for (const float v : x) top = std::max(top, std::fabs(static_cast<double>(v)));
  return top;
}

struct Forward {
  std::vector<float> logits;
  std::map<std::string, std::vector<float>> values;
};

/// One forward of a whole text, nothing stored, every named value watched.
Forward forward(const LanguageModel& lm, std::span<const std::int32_t> ids) {
  Batch batch;
  batch.ids.assign(ids.begin(), ids.end());
  batch.segments = {{0, static_cast<std::int64_t>(ids.size()), 0}};
  Context ctx(*lm.device, std::move(batch));
  Forward f;
  ctx.set_tap([&](std::string_view name, const Tensor& value) {
    const auto x = value.values<float>();
    f.values.emplace(std::string(name), std::vector<float>(x.begin(), x.end()));
  });
  const Tensor logits = lm.model->logits(lm.model->forward(ctx));
  f.logits.assign(logits.values<float>().begin(), logits.values<float>().end());
  return f;
}

class Parity : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = test::reference("models/" + GetParam(), "model.gguf");
    if (folder_.empty()) GTEST_SKIP() << "set TOY_REFERENCE to test " << GetParam();
  }
  std::filesystem::path folder_;
};

TEST_P(Parity, HiddenStatesAndLogitsOnEveryLevel) {
  const auto golden = SafetensorsFile::open(folder_ / "golden.safetensors");
  const auto all = golden.values<std::int32_t>("ids");
  const auto ids = std::span(all).first(all.size() / 2);
  for (const std::string_view level : cpu_levels()) {
    CpuDevice device({.threads = 2, .simd_level = std::string(level)});
    const auto lm = LanguageModel::open(folder_ / "model.gguf", device);
    const Forward f = forward(lm, ids);
    const auto logits = golden.values<float>("logits");
    EXPECT_LT(largest_error(f.logits, logits), 1e-4 * largest_value(logits)) << level;
    const auto check = [&](const std::string& expected, const std::string& found) {
      ASSERT_TRUE(f.values.contains(found)) << found;
      const auto hidden = golden.values<float>(expected);
      EXPECT_LT(largest_error(f.values.at(found), hidden), 1e-4 * largest_value(hidden)) << level << " " << found;
    };
    check("hidden.0", "x");
    for (int i = 1; i < static_cast<int>(lm.model->sizes().L); ++i) {
      check("hidden." + std::to_string(i), "blk." + std::to_string(i - 1) + ".y");
    }
    check("hidden.final", "final");
  }
}

TEST_P(Parity, LossOfBothRows) {
  const auto golden = SafetensorsFile::open(folder_ / "golden.safetensors");
  const auto json = nlohmann::json::parse(std::ifstream(folder_ / "golden.json"));
  const auto ids = golden.values<std::int32_t>("ids");
  CpuDevice device;
  const auto lm = LanguageModel::open(folder_ / "model.gguf", device);
  ScoreOptions options;
  options.engine.kv = DType::F32;
  double loss = 0;
  for (const std::size_t row : {0U, 1U}) {
    loss += score(lm, std::span(ids).subspan(row * ids.size() / 2, ids.size() / 2), options).nll / 2;
  }
  EXPECT_NEAR(loss, json.at("loss").get<double>(), 1e-5 * loss);
}

TEST_P(Parity, GreedyTokens) {
  const auto golden = SafetensorsFile::open(folder_ / "golden.safetensors");
  CpuDevice device;
  const auto lm = LanguageModel::open(folder_ / "model.gguf", device);
  const auto expected = golden.values<std::int32_t>("greedy.tokens");
  GenerateOptions options;
  options.n = static_cast<std::int64_t>(expected.size());
  options.engine.kv = DType::F32;
  options.ignore_eos = true;
  EXPECT_EQ(generate(lm, golden.values<std::int32_t>("greedy.prompt"), options).ids, expected);
}

INSTANTIATE_TEST_SUITE_P(Cases, Parity,
                         testing::Values("gpt2", "llama-gqa-tied", "llama-linear", "llama-mha", "llama-yarn", "llama3",
                                         "mistral-nemo"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// Models of every weight type against logits of the exactly dequantized weights.
class Quants : public testing::TestWithParam<std::string> {};

TEST_P(Quants, LogitsWithinTheBound) {
  const std::string type = GetParam(), file = "llama-" + type + ".gguf";
  const auto folder = test::reference("quants", file);
  if (folder.empty()) GTEST_SKIP() << "set TOY_REFERENCE to test " << type;
  const auto golden = SafetensorsFile::open(folder / "llama-golden.safetensors");
  const auto json = nlohmann::json::parse(std::ifstream(folder / "llama-golden.json"));
  const auto ids = golden.values<std::int32_t>("ids");
  const auto expected = golden.values<float>("logits." + type);
  const bool blocks = type.starts_with("q");
  const double rounding = 1.5 * json.at("q8_0").at("_max_abs_logit_change").get<double>();
  for (const std::string_view level : cpu_levels()) {
    CpuDevice device({.threads = 2, .simd_level = std::string(level)});
    const auto lm = LanguageModel::open(folder / file, device);
    const double error = largest_error(forward(lm, ids).logits, expected);
    EXPECT_LT(error, blocks && level != "ref" ? rounding : 1e-4 * largest_value(expected)) << level;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Quants, testing::Values("f32", "f16", "bf16", "q8_0", "q4_0", "q6_k"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace toy

// The whole model against PyTorch: logits, loss, every gradient, twenty steps of Adam.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "toy/byhand/optimizers.h"
#include "toy/byhand/transformer.h"
#include "toy/io/safetensors.h"

#include "tests/models/reference.h"

namespace toy::byhand {
namespace {

/// The recorded run: f32, so that it agrees with double up to about 1e-6.
class Recorded {
 public:
  Recorded()
      : folder_(test::reference("byhand", "gpt.safetensors")),
        file_(SafetensorsFile::open(folder_ / "gpt.safetensors")),
        json(nlohmann::json::parse(std::ifstream(folder_ / "gpt.json"))) {}

  std::vector<double> values(const std::string& name) const {
    const auto numbers = file_.values<float>(name);
    return {numbers.begin(), numbers.end()};
  }

  int size(const char* name) const { return json.at(name).get<int>(); }

  std::vector<std::vector<int>> batch() const {
    const auto ids = file_.values<std::int32_t>("ids");
    std::vector<std::vector<int>> rows;
    for (auto at = ids.begin(); at != ids.end(); at += size("T") + 1) rows.emplace_back(at, at + size("T") + 1);
    return rows;
  }

  /// The recorded matrices `prefix`wte, `prefix`0.wq, ... as a model; the rows of wq are those of all heads.
  TransformerLM model(const std::string& prefix) const {
    auto lm = TransformerLM::zeros({size("V"), size("T"), size("D"), size("H"), size("F"), size("L")});
    const auto fill = [&](const std::string& name, std::initializer_list<Matrix*> parts) {
      const auto all = values(prefix + name);
      auto next = all.begin();
      for (Matrix* part : parts) {
        std::copy_n(next, part->values().size(), part->values().begin());
        next += static_cast<std::ptrdiff_t>(part->values().size());
      }
      EXPECT_EQ(next, all.end()) << name;
    };
    fill("wte", {&lm.wte});
    fill("wpe", {&lm.wpe});
    for (std::size_t l = 0; l < lm.blocks.size(); ++l) {
      const std::string at = std::to_string(l) + ".";
      auto& [norm1, attn, norm2, ffn] = lm.blocks[l];
      auto& h = attn.heads;
      fill(at + "norm1", {&norm1});
      fill(at + "wq", {&h.at(0).wq, &h.at(1).wq, &h.at(2).wq, &h.at(3).wq});
      fill(at + "wk", {&h.at(0).wk, &h.at(1).wk, &h.at(2).wk, &h.at(3).wk});
      fill(at + "wv", {&h.at(0).wv, &h.at(1).wv, &h.at(2).wv, &h.at(3).wv});
      fill(at + "wo", {&attn.wo});
      fill(at + "norm2", {&norm2});
      fill(at + "w1", {&ffn.w1});
      fill(at + "w2", {&ffn.w2});
    }
    fill("norm_f", {&lm.norm_f});
    return lm;
  }

 private:
  std::filesystem::path folder_;
  SafetensorsFile file_;

 public:
  nlohmann::json json;
};

/// Largest difference, as a share of the largest value.
double relative_error(std::span<const double> found, std::span<const double> expected) {
  EXPECT_EQ(found.size(), expected.size());
  double error = 0, top = 0;
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    if (std::isnan(found[i])) return INFINITY;
    error = std::max(error, std::fabs(found[i] - expected[i]));
    top = std::max(top, std::fabs(expected[i]));
  }
  EXPECT_GT(top, 0);
  return error / top;
}

TEST(ByhandParity, Logits) {
  const Recorded recorded;
  const auto lm = recorded.model("param.");
  std::vector<double> found;
  for (const auto& ids : recorded.batch()) {
    const Matrix logits = lm.logits(std::span(ids).first(ids.size() - 1));
    found.insert(found.end(), logits.values().begin(), logits.values().end());
  }
  const double error = relative_error(found, recorded.values("logits"));
  RecordProperty("error", fmt::format("{:.2e}", error));
  EXPECT_LT(error, 1e-5);
}

TEST(ByhandParity, LossAndEveryGradient) {
  const Recorded recorded;
  const auto [loss, gradient] = recorded.model("param.").loss_and_gradient(recorded.batch());
  EXPECT_NEAR(loss, recorded.json.at("loss").get<double>(), 1e-5 * loss);
  const auto expected = recorded.model("grad.");
  const auto found = gradient.parameters();
  ASSERT_EQ(found.size(), expected.parameters().size());
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double error = relative_error(found[i]->values(), expected.parameters()[i]->values());
    EXPECT_LT(error, 1e-5) << "parameter " << i;
    worst = std::max(worst, error);
  }
  RecordProperty("error", fmt::format("{:.2e}", worst));
}

// Adam's first step is lr g / (|g| + eps), hardly more than the sign of g. One element of the gradient is -8.6e-8, in
// the recording's f32 -1.2e-7, and takes another step there, which moves later losses by 2e-5 (PyTorch's own in double,
// too). The first step is therefore taken with the recorded gradient, the others with our own.
TEST(ByhandParity, TwentyLossesOfAdam) {
  const Recorded recorded;
  auto lm = recorded.model("param.");
  Adam adam({.lr = 1e-2});
  const auto expected = recorded.json.at("adam_lr_1e-2_losses").get<std::vector<double>>();
  ASSERT_EQ(expected.size(), 20U);
  double worst = 0;
  for (std::size_t step = 0; step < expected.size(); ++step) {
    auto [loss, gradient] = lm.loss_and_gradient(recorded.batch());
    EXPECT_NEAR(loss, expected[step], 2e-6 * expected[step]) << "step " << step;
    worst = std::max(worst, std::fabs(loss / expected[step] - 1));
    if (step == 0) gradient = recorded.model("grad.");
    adam.step(lm.parameters(), gradient.parameters());
  }
  RecordProperty("error", fmt::format("{:.2e}", worst));
}

// The same steps with PyTorch in double: tools/torch_byhand.py prints them.
constexpr std::array losses_in_double = {6.1648761230857, 4.2137513987341, 3.1436330638666, 2.3733859634084,
                                         1.8091392746174, 1.3819475999978, 1.1008454020604, 0.8590635132506,
                                         0.6592614623058, 0.5021392572894, 0.3786099377162, 0.2880008531582,
                                         0.2275758029551, 0.1861744920904, 0.1533240562908, 0.1272495508817,
                                         0.1075986329669, 0.0930048427512, 0.0815861050533, 0.0722408053629};

TEST(ByhandParity, TwentyLossesOfAdamInDouble) {
  const Recorded recorded;
  auto lm = recorded.model("param.");
  Adam adam({.lr = 1e-2});
  for (const double expected : losses_in_double) {
    const auto [loss, gradient] = lm.loss_and_gradient(recorded.batch());
    EXPECT_NEAR(loss, expected, 1e-10 * expected);
    adam.step(lm.parameters(), gradient.parameters());
  }
}

}  // namespace
}  // namespace toy::byhand

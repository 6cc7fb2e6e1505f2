// Optimizers against PyTorch, schedules against their definitions.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "toy/io/safetensors.h"
#include "toy/optim/adam.h"
#include "toy/optim/clip.h"
#include "toy/optim/schedule.h"
#include "toy/optim/sgd.h"
#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/models/reference.h"

namespace toy {
namespace {

class Optim : public testing::Test {
 protected:
  void SetUp() override {
    const auto folder = test::reference("optim", "optim.safetensors");
    if (folder.empty()) GTEST_SKIP() << "set TOY_REFERENCE to test the optimizers";
    golden_.emplace(SafetensorsFile::open(folder / "optim.safetensors"));
  }

  Tensor tensor(const std::string& name) {
    const auto x = golden_->values<float>(name);
    const Shape shape = x.size() == 15 ? Shape{5, 3} : Shape{7};
    return Tensor::of(device_, shape, std::span<const float>(x));
  }
  std::vector<Parameter> start() { return {{"a", tensor("p0")}, {"b", tensor("p1")}}; }

  /// Six steps by the recorded gradients.
  void expect_steps(Optimizer& optimizer, const std::string& name) {
    for (int step = 0; step < 6; ++step) {
      const std::vector<Tensor> g{tensor("grad." + std::to_string(step) + ".0"),
                                  tensor("grad." + std::to_string(step) + ".1")};
      optimizer.step(g);
      for (int i = 0; i < 2; ++i) {
        const auto expected = golden_->values<float>(name + ".step" + std::to_string(step) + "." + std::to_string(i));
        const auto found = optimizer.parameters()[static_cast<std::size_t>(i)].value.values<float>();
        for (std::size_t j = 0; j < expected.size(); ++j) {
          ASSERT_NEAR(found[j], expected[j], 1e-5F * (1 + std::fabs(expected[j]))) << name << " step " << step;
        }
      }
    }
    EXPECT_EQ(optimizer.steps(), 6);
  }

  CpuDevice device_{{.threads = 1}};
  std::optional<SafetensorsFile> golden_;
};

TEST_F(Optim, Sgd) {
  SGD plain(start(), {.rate = 0.1});
  expect_steps(plain, "sgd");
  SGD momentum(start(), {.rate = 0.1, .momentum = 0.9});
  expect_steps(momentum, "sgd_momentum");
  SGD nesterov(start(), {.rate = 0.1, .momentum = 0.9, .nesterov = true});
  expect_steps(nesterov, "sgd_nesterov");
}

TEST_F(Optim, RmsProp) {
  RMSprop optimizer(start());
  expect_steps(optimizer, "rmsprop");
}

TEST_F(Optim, AdamAndAdamW) {
  AdamW adam(start(), {.rate = 0.01});
  expect_steps(adam, "adam");
  AdamW decaying(start(), {.rate = 0.01, .weight_decay = 0.1, .decay_vectors = true});
  expect_steps(decaying, "adamw");
}

TEST_F(Optim, ClippingByTheGlobalNorm) {
  std::vector<Tensor> g{tensor("grad.0.0"), tensor("grad.0.1")};
  for (const Tensor& t : g) {
    for (float& x : t.values<float>()) x *= 3;
  }
  EXPECT_NEAR(clip_global_norm(g, 1), 13.740803718566895, 1e-5);
  for (int i = 0; i < 2; ++i) {
    const auto expected = golden_->values<float>("clip." + std::to_string(i));
    for (std::size_t j = 0; j < expected.size(); ++j) {
      EXPECT_NEAR(g[static_cast<std::size_t>(i)].data<float>()[j], expected[j], 1e-6);
    }
  }
}

TEST_F(Optim, ResumingGivesTheSameBytes) {
  const auto gradients = [&](int step) {
    return std::vector{tensor("grad." + std::to_string(step) + ".0"), tensor("grad." + std::to_string(step) + ".1")};
  };
  AdamW straight(start(), {.rate = 0.01});
  for (int step = 0; step < 6; ++step) straight.step(gradients(step));
  AdamW first(start(), {.rate = 0.01});
  for (int step = 0; step < 3; ++step) first.step(gradients(step));
  AdamW second({first.parameters().begin(), first.parameters().end()}, {.rate = 0.01});
  for (std::size_t i = 0; i < second.state().size(); ++i) {
    EXPECT_EQ(second.state()[i].name, first.state()[i].name);
    const auto from = first.state()[i].value.values<float>();
    std::copy(from.begin(), from.end(), second.state()[i].value.values<float>().begin());
  }
  second.resume(first.steps());
  for (int step = 3; step < 6; ++step) second.step(gradients(step));
  for (std::size_t i = 0; i < 2; ++i) {
    const auto a = straight.parameters()[i].value.values<float>(), b = second.parameters()[i].value.values<float>();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin()));
  }
}

/// Rate 0.1 and decay 0.5 shrink what decays to 0.95 of itself; a gradient that stays the same then moves by the rate.
TEST(AdamWDecay, IsForMatricesAndLeavesVectorsAloneUnlessAsked) {
  CpuDevice device({.threads = 1});
  const auto steps = [&](double gradient, bool decay_vectors) {
    const Tensor matrix = Tensor::of(device, {2, 1}, std::array{2.0F, -4.0F});
    const Tensor vector = Tensor::of(device, {2}, std::array{2.0F, -4.0F});
    AdamOptions options{.rate = 0.1, .weight_decay = 0.5};
    if (decay_vectors) options.decay_vectors = true;
    AdamW optimizer({{"w", matrix}, {"b", vector}}, options);
    const std::array g{static_cast<float>(gradient), static_cast<float>(gradient)};
    for (int i = 0; i < 2; ++i) optimizer.step(std::array{Tensor::of(device, {2, 1}, g), Tensor::of(device, {2}, g)});
    return std::array{matrix.data<float>()[0], matrix.data<float>()[1], vector.data<float>()[0],
                      vector.data<float>()[1]};
  };
  const auto expect = [](const std::array<float, 4>& found, const std::array<double, 4>& expected) {
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(static_cast<double>(found[i]), expected[i], 1e-6) << i;
  };
  expect(steps(0, false), {1.805, -3.61, 2, -4});      // 2 * 0.95 * 0.95
  expect(steps(3, false), {1.61, -3.805, 1.8, -4.2});  // (2 * 0.95 - 0.1) * 0.95 - 0.1;  2 - 0.1 - 0.1
  expect(steps(0, true), {1.805, -3.61, 1.805, -3.61});
  expect(steps(3, true), {1.61, -3.805, 1.61, -3.805});
}

class Schedules : public testing::Test {
 protected:
  std::unique_ptr<Optimizer> sgd(double rate) {
    return std::make_unique<SGD>(std::vector<Parameter>{{"a", Tensor::zeros(device_, {1})}}, SgdOptions{.rate = rate});
  }
  CpuDevice device_{{.threads = 1}};
  const std::vector<Tensor> one_{Tensor::of(device_, {1}, std::array{1.0F})};
};

TEST_F(Schedules, WarmupRisesThenStays) {
  LinearWarmup schedule(sgd(1), 3);
  std::vector<double> rates;
  for (int step = 0; step < 6; ++step) {
    rates.push_back(schedule.learning_rate());
    schedule.step(one_);
  }
  EXPECT_EQ(rates, (std::vector<double>{0.25, 0.5, 0.75, 1, 1, 1}));
  EXPECT_FLOAT_EQ(schedule.parameters()[0].value.data<float>()[0], -4.5F);
}

TEST_F(Schedules, CosineFallsToTheLeastRateAndResumesWhereItWas) {
  CosineWithWarmup schedule(sgd(1), 2, 10, 0.1);
  std::vector<double> rates;
  for (int step = 0; step < 12; ++step) {
    rates.push_back(schedule.learning_rate());
    schedule.step(one_);
  }
  EXPECT_NEAR(rates[0], 1.0 / 3, 1e-15);
  EXPECT_EQ(rates[2], 1);
  EXPECT_NEAR(rates[6], 0.55, 1e-15);  // half of the way
  EXPECT_EQ(rates[10], 0.1);
  EXPECT_EQ(rates[11], 0.1);
  CosineWithWarmup later(sgd(1), 2, 10, 0.1);
  later.resume(7);
  EXPECT_EQ(later.learning_rate(), rates[7]);
}

TEST_F(Schedules, WrongQuestionsAreRefused) {
  EXPECT_THROW(CosineWithWarmup(sgd(1), 10, 10), Error);
  EXPECT_THROW(CosineWithWarmup(sgd(1), 0, 10, 2), Error);
  EXPECT_THROW(LinearWarmup(sgd(1), -1), Error);
  EXPECT_THROW(SGD({}, {.nesterov = true}), Error);
  EXPECT_THROW(AdamW({}, {.beta2 = 1}), Error);
  EXPECT_THROW(RMSprop({}, {.alpha = 1}), Error);
  EXPECT_THROW(RMSprop({}, {.eps = 0}), Error);
  AdamW adam({{"a", Tensor::zeros(device_, {2})}}, {});
  EXPECT_THROW(adam.step(one_), Error);
  EXPECT_THROW(adam.step({}), Error);
}

}  // namespace
}  // namespace toy

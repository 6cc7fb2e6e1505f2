// Optimizers refuse what they cannot move, by its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <memory>
#include <vector>

#include "toy/optim/adam.h"
#include "toy/optim/clip.h"
#include "toy/optim/schedule.h"
#include "toy/optim/sgd.h"
#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/io/expect_error.h"

namespace toy {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(MisuseOfOptim, ParametersAreNumbersInRows) {
  CpuDevice device({.threads = 1});
  const auto error = [&](const Tensor& value) { return error_of([&] { SGD({{"w", value}}, {}); }); };
  EXPECT_THAT(error({}), HasSubstr("optimizer: w is an empty Tensor"));
  EXPECT_THAT(error(Tensor::zeros(device, {2}, DType::I32)),
              HasSubstr("w: expected F32 or F64 in rows, found I32 [2]"));
  const Tensor prepared = device.prepare(Tensor::zeros(device, {40, 32}));
  if (prepared.storage().layout == Layout::panels) {
    EXPECT_THAT(error(prepared), HasSubstr("in panels"));
  }
}

TEST(MisuseOfOptim, StepsRatesAndNormsAreNumbersThatCanBe) {
  CpuDevice device({.threads = 1});
  const Tensor w = Tensor::zeros(device, {2});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  AdamW adam({{"w", w}}, {});
  EXPECT_THAT(error_of([&] { adam.resume(-1); }), HasSubstr("found -1"));
  EXPECT_THAT(error_of([&] { adam.set_learning_rate(nan); }), HasSubstr("learning rate"));
  EXPECT_THAT(error_of([&] { AdamW({{"w", w}}, {.rate = nan}); }), HasSubstr("learning rate"));
  EXPECT_THAT(error_of([&] { LinearWarmup(nullptr, 3); }), HasSubstr("no optimizer"));
  LinearWarmup warmup(std::make_unique<SGD>(std::vector<Parameter>{{"w", w}}, SgdOptions{}), 3);
  EXPECT_THAT(error_of([&] { warmup.set_learning_rate(nan); }), HasSubstr("learning rate"));
  for (const double most : {-1.0, nan}) {
    EXPECT_THAT(error_of([&] { (void)clip_global_norm(std::array{w}, most); }), HasSubstr("0 or more"));
  }
}

}  // namespace
}  // namespace toy

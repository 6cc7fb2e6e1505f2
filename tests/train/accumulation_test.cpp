// Steps of several micro-batches: their targets weigh alike, whatever each micro-batch holds.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <memory>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/train/pairwise_sum.h"

#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

/// Runs of documents of one letter, then one of hundreds: windows of few targets stand beside windows of many.
Corpus uneven_corpus() {
  std::vector<std::string> documents;
  for (int i = 0; i < 40; ++i) {
    for (int k = 0; k < 9; ++k) documents.emplace_back("a");
    std::string text;
    for (int k = 0; k < 150; ++k) text += static_cast<char>('b' + (7 * k + i * k * k) % 15);
    documents.push_back(text);
  }
  return Corpus::texts(std::move(documents));
}

RunConfig uneven_config(std::int64_t batch, std::int64_t accumulate, std::int64_t context = 16) {
  RunConfig config = test::small_config();
  config.recipe.model = ModelConfig{.d_model = 16, .layers = 1, .heads = 2, .context = context}.resolved();
  config.recipe.options = {.steps = 12, .batch = batch, .accumulate = accumulate, .rate = 3e-3, .documents = true};
  config.recipe.vocabulary = {.kind = "byte"};
  return config;
}

/// Gradients of the next step, one array for each parameter.
std::vector<std::vector<float>> gradients_of(Training& training, StepResult& result) {
  std::vector<std::vector<float>> found;
  training.watch_gradients([&](std::span<const Parameter>, std::span<const Tensor> gradients) {
    for (const Tensor& g : gradients) found.emplace_back(g.values<float>().begin(), g.values<float>().end());
  });
  result = training.step();
  return found;
}

double distance(std::span<const float> a, std::span<const float> b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    squares += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
  return std::sqrt(squares);
}

TEST(Accumulation, TargetsWeighAlikeInEveryMicroBatch) {
  const Corpus corpus = uneven_corpus();
  for (const std::int64_t micro_batches : {2, 3, 6, 8}) {
    CpuDevice device({.threads = 2});
    Training large = uneven_config(micro_batches, 1).recipe.realize(device, corpus);
    Training parts = uneven_config(1, micro_batches).recipe.realize(device, corpus);
    int uneven = 0;  // steps with positions that have no target
    for (int i = 0; i < 6; ++i) {
      StepResult a, b;
      const auto expected = gradients_of(large, a), found = gradients_of(parts, b);
      EXPECT_NEAR(a.loss, b.loss, 1e-5 * a.loss) << micro_batches;
      EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-4 * a.gradient_norm) << micro_batches;
      EXPECT_EQ(a.targets, b.targets);
      uneven += a.targets < a.tokens;
      ASSERT_EQ(expected.size(), found.size());
      for (std::size_t p = 0; p < expected.size(); ++p) {
        EXPECT_LT(distance(expected[p], found[p]), 1e-4 * a.gradient_norm) << micro_batches << " parameter " << p;
      }
    }
    EXPECT_GT(uneven, 0) << micro_batches;
  }
}

TEST(Accumulation, MicroBatchesWithoutATargetAddNothing) {
  // Windows of one token: that of a document's end has no target. Steps of one window have none then.
  const Corpus corpus = uneven_corpus();
  CpuDevice device({.threads = 1});
  Training large = uneven_config(4, 1, 1).recipe.realize(device, corpus);
  Training parts = uneven_config(1, 4, 1).recipe.realize(device, corpus);
  bool some_without = false;
  for (int i = 0; i < 12; ++i) {
    const StepResult a = large.step(), b = parts.step();
    EXPECT_NEAR(a.loss, b.loss, 1e-5 * a.loss);
    EXPECT_EQ(a.targets, b.targets);
    some_without = some_without || a.targets < 4;
  }
  EXPECT_TRUE(some_without);
  RunConfig one = uneven_config(1, 1, 1);
  one.recipe.options.steps = 60;
  Training alone = one.recipe.realize(device, corpus);
  int none = 0;
  while (!alone.done()) {
    const StepResult r = alone.step();
    EXPECT_EQ(r.loss == 0, r.targets == 0);
    EXPECT_TRUE(std::isfinite(r.gradient_norm));
    none += r.targets == 0;
  }
  EXPECT_GT(none, 0);
}

TEST(Accumulation, TargetsAreCountedAsExamplesHaveThem) {
  CpuDevice device({.threads = 1});
  const Training training = uneven_config(1, 1).recipe.realize(device, uneven_corpus());
  for (const std::int64_t length : {1, 2, 16, 333}) {
    for (std::int64_t start = 0; start + length < training.tokens().size(); start += 7) {
      for (const bool documents : {false, true}) {
        const Examples e = examples(training.tokens(), {&start, 1}, length, documents);
        EXPECT_EQ(counted_targets(training.tokens(), start, length, documents),
                  std::ranges::count_if(e.targets, [](std::int32_t target) { return target >= 0; }));
      }
    }
  }
}

TEST(Accumulation, TheTrainingLossOfAnEvaluationWeighsByTargets) {
  const testing::ScratchFolder scratch;
  std::filesystem::create_directories(scratch / "run");
  CpuDevice device({.threads = 1});
  RunConfig config = uneven_config(1, 1);
  config.options.eval_every = 6;
  toy::Run run = toy::Run::begin(scratch / "run", config, uneven_corpus(), device);
  double sum = 0, targets = 0, plain = 0;
  int evaluations = 0;
  RunObserver observer;
  observer.step = [&](const StepResult& r, double) {
    sum += r.loss * static_cast<double>(r.targets);
    targets += static_cast<double>(r.targets);
    plain += r.loss / 6;
  };
  observer.evaluation = [&](std::int64_t, double, double training) {
    EXPECT_NEAR(training, sum / targets, 1e-12);
    EXPECT_GT(std::abs(training - plain), 1e-6);
    sum = targets = plain = 0;
    ++evaluations;
  };
  (void)run.train(observer);
  EXPECT_EQ(evaluations, 2);
}

/// The sum of terms [begin, end), as the definition of pairwise summation says it.
std::string pairwise(std::int64_t begin, std::int64_t end) {
  if (end - begin == 1) return std::to_string(begin);
  const auto left = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(end - begin)) / 2);
  return "(" + pairwise(begin, begin + left) + "+" + pairwise(begin + left, end) + ")";
}

TEST(PairwiseSum, IsTheTreeOfItsDefinition) {
  const auto add = [](std::string& left, const std::string& right) { left = "(" + left + "+" + right + ")"; };
  PairwiseSum<std::string> sum;
  EXPECT_EQ(sum.take(add), "");
  for (std::int64_t n = 1; n <= 70; ++n) {
    for (std::int64_t i = 0; i < n; ++i) sum.push(std::to_string(i), add);
    EXPECT_EQ(sum.take(add), pairwise(0, n));
  }
}

TEST(PairwiseSum, HoldsAsManyPartsAsTheNumberHasBits) {
  const auto counter = std::make_shared<int>();
  using Term = std::shared_ptr<int>;  // one more owner of the counter for each part that lives
  const auto add = [](Term&, const Term&) {};
  for (std::int64_t n = 1; n <= 70; ++n) {
    PairwiseSum<Term> sum;
    std::int64_t most = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      most = std::max<std::int64_t>(most, counter.use_count() - 1);
      sum.push(Term(counter), add);
    }
    EXPECT_EQ(most, std::bit_width(static_cast<std::uint64_t>(n)) - 1) << n;
  }
}

}  // namespace
}  // namespace toy

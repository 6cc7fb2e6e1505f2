// Steps, validation, what ends a training.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "toy/generate/generate.h"
#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/random.h"
#include "toy/train/estimate.h"
#include "toy/train/sample.h"

#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

using ::testing::HasSubstr;

Training small_training(Device& device, const std::function<void(FromScratch&)>& change = {}) {
  FromScratch recipe = test::small_config().recipe;
  if (change) change(recipe);
  return recipe.realize(device, test::small_corpus());
}

TEST(Learning, TheLossFallsFarBelowTheFirst) {
  CpuDevice device({.threads = 2});
  Training training = small_training(device, [](FromScratch& r) { r.options.steps = 120; });
  const double first = training.step().loss;
  EXPECT_NEAR(first, std::log(static_cast<double>(training.model().sizes().V)), 0.2);
  while (!training.done()) (void)training.step();
  EXPECT_LT(*training.validation_loss(), 0.45 * first);
}

void same_bytes_for_threads(bool bf16) {
  std::vector<std::vector<float>> expected;
  for (const int threads : {1, 2, 3}) {
    CpuDevice device({.threads = threads});
    Training training = small_training(device, [&](FromScratch& r) { r.options.bf16 = bf16; });
    std::vector<float> losses;
    losses.reserve(4);
    for (int i = 0; i < 4; ++i) losses.push_back(static_cast<float>(training.step().loss));
    std::vector<std::vector<float>> found{losses};
    for (const Parameter& p : parameters(training.model())) {
      found.emplace_back(p.value.values<float>().begin(), p.value.values<float>().end());
    }
    if (expected.empty()) expected = found;
    EXPECT_EQ(found, expected) << threads;
  }
}

TEST(Learning, SameBytesForAnyNumberOfThreads) {
  for (const bool bf16 : {false, true}) same_bytes_for_threads(bf16);
}

TEST(Learning, MixedPrecisionIsCloseAndNotTheSame) {
  CpuDevice device({.threads = 2});
  Training full = small_training(device), mixed = small_training(device, [](FromScratch&r) { r.options.bf16 = true; });
  double largest = 0;
  for (int i = 0; i < 6; ++i) {
    const double a = full.step().loss, b = mixed.step().loss;
    EXPECT_NEAR(a, b, 2e-2 * a);
    largest = std::max(largest, std::abs(a - b));
  }
  EXPECT_GT(largest, 0);
}

TEST(Learning, AccumulationIsCloseToTheLargerBatch) {
  CpuDevice device({.threads = 2});
  Training large = small_training(device, [](FromScratch& r) { r.options.batch = 6; });
  Training parts = small_training(device, [](FromScratch& r) {
    r.options.batch = 2;
    r.options.accumulate = 3;
  });
  for (int i = 0; i < 3; ++i) {
    const StepResult a = large.step(), b = parts.step();
    EXPECT_NEAR(a.loss, b.loss, 1e-5);
    EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-4 * a.gradient_norm);
    EXPECT_EQ(a.tokens, b.tokens);
  }
}

TEST(Learning, ValidationReadsEveryTokenOfItsPartOnce) {
  CpuDevice device({.threads = 2});
  Training training = small_training(device);
  // The mean of all windows, one by one, weighted by their targets.
  const std::int64_t begin = training.split(), end = training.tokens().size() - 1;
  double sum = 0;
  std::int64_t count = 0;
  for (std::int64_t at = begin; at < end; at += training.context()) {
    const std::int64_t length = std::min(training.context(), end - at);
    const Examples e = examples(training.tokens(), {&at, 1}, length, false);
    Context ctx(device, e.batch);
    const Tensor targets = Tensor::of(device, {length}, std::span<const std::int32_t>(e.targets));
    sum += static_cast<double>(length) *
           static_cast<double>(training.model().loss(training.model().forward(ctx), targets).data<float>()[0]);
    count += length;
  }
  ASSERT_EQ(count, end - begin);
  EXPECT_NEAR(*training.validation_loss(), sum / static_cast<double>(count), 1e-5);
  EXPECT_NE(*training.validation_loss(2), *training.validation_loss());
  EXPECT_EQ(training.validation_windows(), (end - begin + training.context() - 1) / training.context());
  EXPECT_EQ(training.validation_windows(2), 2);
  EXPECT_EQ(training.validation_windows(1000000), training.validation_windows());
}

TEST(Learning, RecomputingGivesTheSameBytesAndTakesLess) {
  for (const bool bf16 : {false, true}) {
    for (const char* arch : {"llama", "gpt2"}) {
      std::vector<std::vector<float>> outcomes[2];
      for (const bool recompute : {false, true}) {
        CpuDevice device({.threads = 2});
        Training training = small_training(device, [&](FromScratch& r) {
          r.model = ModelConfig{.arch = arch, .d_model = 16, .layers = 2, .heads = 2, .context = 24}.resolved();
          r.options.bf16 = bf16;
          r.options.recompute = recompute;
        });
        int seen = 0;
        training.tap_next([&](std::string_view name, const Tensor&) { seen += name == "blk.1.y"; });
        for (int i = 0; i < 3; ++i) (void)training.step();
        EXPECT_EQ(seen, 1);
        for (const Parameter& p : parameters(training.model())) {
          const auto values = p.value.values<float>();
          outcomes[recompute ? 1 : 0].emplace_back(values.begin(), values.end());
        }
      }
      EXPECT_EQ(outcomes[0], outcomes[1]) << arch << (bf16 ? " bf16" : "");
    }
  }
}

TEST(Learning, ACancelledValidationHasNoLoss) {
  CpuDevice device({.threads = 1});
  Training training = small_training(device);
  std::stop_source stop;
  EXPECT_TRUE(training.validation_loss(0, stop.get_token()));
  stop.request_stop();
  EXPECT_FALSE(training.validation_loss(0, stop.get_token()));
}

TEST(Learning, ALossThatIsNotFiniteSaysWhereAndKeepsTheCheckpoint) {
  const testing::ScratchFolder scratch;
  CpuDevice device({.threads = 2});
  toy::Run run = test::begin_run(scratch / "run", test::small_config(), device);
  RunObserver observer;
  observer.step = [&](const StepResult& r, double) {
    if (r.step != 5) return;
    for (const Parameter& p : parameters(run.training().model())) {
      if (p.name == "blk.1.ffn_up.weight") p.value.data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
    }
  };
  const std::string error = test::error_of([&] { (void)run.train(observer); });
  EXPECT_THAT(error, HasSubstr("step 6: the loss is not finite; the first value that is not: blk.1.ffn"));
  EXPECT_EQ(newest_checkpoint(scratch / "run").checkpoint.step, 4);
  const ReadEvents log = read_events(scratch / "run/events.jsonl");
  EXPECT_EQ(log.events.back().at("kind"), "run_end");
  EXPECT_EQ(log.events.back().at("reason"), "errored");
  EXPECT_EQ(log.events.back().at("exit_code"), 1);
}

TEST(Learning, AnOverflowingGradientNamesItsParameter) {
  CpuDevice device({.threads = 1});
  Training training = small_training(device);
  training.watch_gradients([](std::span<const Parameter>, std::span<const Tensor> gradients) {
    gradients[3].data<float>()[0] = std::numeric_limits<float>::infinity();
  });
  const std::string third = parameters(training.model())[3].name;
  const auto before = parameters(training.model())[0].value.data<float>()[0];
  EXPECT_THAT(test::error_of([&] { (void)training.step(); }), HasSubstr("the gradient of " + third + " is not finite"));
  EXPECT_EQ(parameters(training.model())[0].value.data<float>()[0], before);
}

TEST(Learning, AGradientThatIsNotFiniteIsNamedWhereItBeganOnTheWayBack) {
  CpuDevice device({.threads = 1});
  Training training = small_training(device);
  training.watch_gradients([](std::span<const Parameter>, std::span<const Tensor> gradients) {
    for (std::size_t i = 0; i <= 3; ++i) gradients[i].data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  });
  const std::string third = parameters(training.model())[3].name;
  EXPECT_THAT(test::error_of([&] { (void)training.step(); }), HasSubstr("the gradient of " + third + " is not finite"));
}

TEST(Learning, ANormThatOverflowsNamesTheLargestGradient) {
  for (const double clip : {0.0, 1.0}) {
    CpuDevice device({.threads = 1});
    Training training = small_training(device, [&](FromScratch& r) { r.options.clip = clip; });
    // Values of 1e37 times weights of zero: the loss is finite, the gradient of those weights about 1e34.
    for (const Parameter& p : parameters(training.model())) {
      if (p.name == "blk.1.ffn_up.weight") std::ranges::fill(p.value.values<float>(), 1e37F);
      if (p.name == "blk.1.ffn_down.weight") std::ranges::fill(p.value.values<float>(), 0.0F);
    }
    EXPECT_THAT(test::error_of([&] { (void)training.step(); }),
                ::testing::AllOf(HasSubstr("the norm of the gradient is not finite"),
                                 HasSubstr("in that of blk.1.ffn_down.weight")))
        << clip;
  }
}

TEST(Learning, AStepThatFailsLeavesEverythingAsItWas) {
  CpuDevice device({.threads = 1});
  Training straight = small_training(device), failing = small_training(device);
  // Beyond an epoch, so that its shuffle has to come back too.
  const std::int64_t epoch = straight.windows().windows_per_epoch() / straight.options().batch;
  for (std::int64_t i = 0; i < epoch + 2; ++i) {
    failing.watch_gradients([](std::span<const Parameter>, std::span<const Tensor> gradients) {
      gradients[0].data<float>()[0] = std::numeric_limits<float>::infinity();
    });
    EXPECT_NE(test::error_of([&] { (void)failing.step(); }), "");
    failing.watch_gradients({});
    ASSERT_EQ(failing.step().loss, straight.step().loss) << i;
  }
  EXPECT_GT(straight.windows().state().epoch, 0);
}

TEST(Monitor, WarnsAndStopsAtItsThresholds) {
  // Trained on one letter, validated on another: the gap grows with every step.
  const Corpus corpus = Corpus::texts({std::string(2000, 'a'), std::string(400, 'b')});
  for (const double limit : {1e6, 30.0}) {
    const testing::ScratchFolder scratch;
    CpuDevice device({.threads = 1});
    RunConfig config = test::small_config();
    config.recipe.vocabulary = {.kind = "byte"};
    config.recipe.options = {.steps = 40, .batch = 2, .rate = 1e-2, .validation_share = 0.15};
    config.options.divergence_warning = 5;
    config.options.divergence_stop = limit;
    std::filesystem::create_directories(scratch / "run");
    toy::Run run = toy::Run::begin(scratch / "run", config, corpus, device);
    int notes = 0;
    RunObserver observer;
    observer.note = [&](const std::string& line) { notes += line.find("above the training loss") != line.npos; };
    const RunSummary s = run.train(observer);
    EXPECT_GT(notes, 0);
    const Event end = read_events(scratch / "run/events.jsonl").events.back();
    if (limit > 1000) {
      EXPECT_EQ(s.end, RunSummary::End::completed);
      EXPECT_EQ(end.at("exit_code"), 0);
      continue;
    }
    EXPECT_EQ(s.end, RunSummary::End::diverged);
    EXPECT_LT(s.steps, 40);
    EXPECT_THAT(s.reason, HasSubstr("the limit is 30 %"));
    EXPECT_EQ(newest_checkpoint(scratch / "run").checkpoint.step, s.steps);
    EXPECT_EQ(end.at("reason"), "aborted");
    EXPECT_EQ(end.at("exit_code"), 1);
  }
}

TEST(Files, WhatIsWrittenIsReadAsAnyModel) {
  for (const char* arch : {"llama", "gpt2"}) {
    const testing::ScratchFolder scratch;
    CpuDevice device({.threads = 2});
    RunConfig config = test::small_config();
    config.recipe.model.arch = arch;
    config.recipe.model.d_ff = 64;
    toy::Run run = test::begin_run(scratch / "run", config, device);
    const RunSummary s = run.train();
    const LanguageModel lm = LanguageModel::open(s.weights, device);
    EXPECT_TRUE(lm.model->notes().empty());
    const auto ids = lm.text().encode("The red hen");
    const Generation g = generate(lm, ids, {.n = 12, .engine = {.kv = DType::F32}});
    EXPECT_EQ(g.text, sample_text(run.training().model(), device, run.training().tokenizer(), "The red hen", 12, {}));
    const std::string fused = std::string(arch) == "gpt2" ? "blk.0.attn_qkv.weight" : "blk.0.attn_q.weight";
    EXPECT_NE(lm.file.find(fused), nullptr);
  }
}

TEST(BadOptions, AreNamedWithBothNumbers) {
  CpuDevice device({.threads = 1});
  const auto error = [&](const std::function<void(FromScratch&)>& change) {
    return test::error_of([&] { (void)small_training(device, change); });
  };
  EXPECT_THAT(error([](FromScratch& r) { r.model.heads = 3; }), HasSubstr("d-model 16 is not a multiple of heads 3"));
  EXPECT_THAT(error([](FromScratch& r) { r.model.kv_heads = 3; }), HasSubstr("kv-heads: expected 1 to 2, found 3"));
  EXPECT_THAT(error([](FromScratch& r) { r.model.layers = 0; }), HasSubstr("layers: expected 1 to 1024, found 0"));
  EXPECT_THAT(error([](FromScratch& r) { r.model.arch = "bert"; }), HasSubstr("expected llama or gpt2, found 'bert'"));
  EXPECT_THAT(error([](FromScratch& r) { r.options.rate = -1; }), HasSubstr("lr: expected 0 to 1000, found -1"));
  EXPECT_THAT(error([](FromScratch& r) { r.options.steps = 0; }), HasSubstr("steps: expected 1 or more, found 0"));
  EXPECT_THAT(error([](FromScratch& r) { r.options.warmup = 12; }),
              HasSubstr("warmup-steps 12 must be below steps 12"));
  EXPECT_THAT(error([](FromScratch& r) { r.model.context = 1 << 15; }), HasSubstr("a context of 32768 needs"));
  EXPECT_THAT(error([](FromScratch& r) { r.model = {.d_model = 65536, .layers = 1024, .heads = 8, .context = 64}; }),
              HasSubstr("not enough memory: training takes about"));
}

TEST(Config, IsReadAsItWasWritten) {
  RunConfig config = test::small_config();
  config.corpus = {"a*.txt", "b"};
  config.options.divergence_stop = 55;
  config.options.events = {"tap"};
  config.recipe.options.least_rate = 1e-5;
  const std::string text = config_text(config);
  const RunConfig again = parse_config(text, "c");
  EXPECT_EQ(config_text(again), text);
  EXPECT_EQ(again.corpus, config.corpus);
  EXPECT_EQ(again.options.divergence_stop, config.options.divergence_stop);
  EXPECT_EQ(again.options.events, config.options.events);
  EXPECT_EQ(again.recipe.options.least_rate, config.recipe.options.least_rate);
  EXPECT_EQ(again.recipe.vocabulary.merges, config.recipe.vocabulary.merges);
  const auto broken = [&](const std::string& from, const std::string& to) {
    std::string other = text;
    other.replace(other.find(from), from.size(), to);
    return test::error_of([&] { (void)parse_config(other, "c.json"); });
  };
  EXPECT_THAT(broken("\"steps\": 12", "\"steps\": \"12\""), HasSubstr("c.json: 'steps': expected a whole number"));
  EXPECT_THAT(broken("\"steps\"", "\"stops\""), HasSubstr("'steps' is missing"));
  EXPECT_THAT(broken("config-v1", "config-v9"), HasSubstr("expected schema toy/config-v1"));
  EXPECT_THAT(test::error_of([] { (void)parse_config(std::string(100000, '['), "c"); }),
              HasSubstr("is no JSON object"));
}

TEST(Sidecar, IsReadAsItWasWrittenAndRefusedIfNot) {
  Checkpoint c;
  c.step = 7;
  c.weights = {"weights/step-7.gguf", 100, 0xABCDEF};
  c.state = {"state/step-7.gguf", 200, 1};
  c.log_bytes = 999;
  c.loss_sum = 0.1 + 0.2;
  c.validation_loss = 1.5;
  const std::string text = checkpoint_text(c);
  EXPECT_EQ(checkpoint_text(parse_checkpoint(text, "s")), text);
  const auto broken = [&](const std::string& from, const std::string& to) {
    std::string other = text;
    other.replace(other.find(from), from.size(), to);
    return test::error_of([&] { (void)parse_checkpoint(other, "s.json"); });
  };
  EXPECT_THAT(broken("\"step\": 7", "\"step\": -7"), HasSubstr("s.json: 'step': expected 0 to"));
  EXPECT_THAT(broken("weights/step-7", "../../etc/x"), HasSubstr("is outside the run"));
  EXPECT_THAT(broken("0000000000abcdef", "xyz"), HasSubstr("hexadecimal"));
  EXPECT_THAT(broken("\"log_bytes\": 999", "\"log_bytes\": 1.5"), HasSubstr("expected a whole number"));
  EXPECT_THAT(test::error_of([] { (void)parse_checkpoint("", "s"); }), HasSubstr("is no JSON object"));
}

/// Any change of some bytes of a sidecar or a configuration is refused in one line, or read and written as it is.
TEST(Sidecar, MutationsAreRefusedOrReadAgain) {
  Checkpoint c;
  c.step = 7;
  c.weights = {"weights/step-7.gguf", 100, 0xABCDEF};
  c.state = {"state/step-7.gguf", 200, 1};
  c.validation_loss = 1.5;
  Random random(3);
  for (const bool sidecar : {true, false}) {
    const std::string good = sidecar ? checkpoint_text(c) : config_text(test::small_config());
    const auto again = [&](const std::string& text) {
      return sidecar ? checkpoint_text(parse_checkpoint(text, "s")) : config_text(parse_config(text, "s"));
    };
    for (int i = 0; i < 5000; ++i) {
      std::string text = good;
      for (int k = 0; k < 2; ++k) {
        const std::size_t at = random.below(text.size());
        const std::uint64_t kind = random.below(3);
        if (kind == 0) text[at] = static_cast<char>(random.below(256));
        if (kind == 1) text.erase(at, random.below(20));
        if (kind == 2) text.insert(at, std::string(random.below(4), "0-{[\"e"[random.below(6)]));
      }
      try {
        const std::string written = again(text);
        EXPECT_EQ(again(written), written);
      } catch (const Error& error) {
        EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos);
      }
    }
  }
}

}  // namespace
}  // namespace toy

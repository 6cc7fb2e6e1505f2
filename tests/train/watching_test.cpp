// What a run looks at on its way does not change what it learns.
#include <gtest/gtest.h>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/train/watch.h"

#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

/// Bytes of the last weights, moments and shuffle, and the events of a kind that were logged.
struct Trained {
  std::string weights, state;
  std::size_t samples = 0, evaluations = 0;
};

Trained trained(const std::string& arch, const std::function<void(RunOptions&)>& change) {
  const testing::ScratchFolder scratch;
  CpuDevice device({.threads = 2});
  RunConfig config = test::small_config();
  config.recipe.model = ModelConfig{.arch = arch, .d_model = 16, .layers = 2, .heads = 2, .context = 24}.resolved();
  config.options.save_every = 0;
  change(config.options);
  toy::Run run = test::begin_run(scratch / "run", config, device);
  (void)run.train();
  const test::Outcome outcome = test::outcome_of(scratch / "run");
  Trained t{outcome.weights, outcome.state};
  for (const Event& e : read_events(scratch / "run/events.jsonl").events) {
    t.samples += e.at("kind") == "sample" ? 1U : 0U;
    t.evaluations += e.at("kind") == "eval" && e.at("name") == "validation" ? 1U : 0U;
  }
  return t;
}

TEST(Watching, ChangesNoWeightAndNoMoment) {
  for (const std::string arch : {"llama", "gpt2"}) {
    const Trained bare = trained(arch, [](RunOptions& o) { o.gen_every = o.eval_every = 0; });
    EXPECT_EQ(bare.samples + bare.evaluations, 0U);
    const Trained sampled = trained(arch, [](RunOptions& o) { o.eval_every = 0; });
    EXPECT_EQ(sampled.samples, 5U);
    const Trained validated = trained(arch, [](RunOptions& o) { o.gen_every = 0; });
    EXPECT_EQ(validated.evaluations, 4U);
    const Trained all = trained(arch, [](RunOptions& o) {
      o.gen_every = o.eval_every = 1;
      o.save_every = 4;
      o.events = {"grad", "drift", "tap", "op_timing"};
      o.events_every = 1;
    });
    EXPECT_EQ(all.samples, 13U);
    for (const Trained* other : {&sampled, &validated, &all}) {
      EXPECT_TRUE(other->weights == bare.weights) << arch;
      EXPECT_TRUE(other->state == bare.state) << arch;
    }
  }
}

TEST(Watching, HeadsAreMeasuredApart) {
  const testing::ScratchFolder scratch;
  CpuDevice device({.threads = 1});
  const std::vector<float> rows = {3, 4, 0, 5, 0, 0, NAN, 12};  // two rows of two heads
  const Tensor value = Tensor::of(device, {2, 4}, std::span<const float>(rows));
  EventWriter log(scratch / "events.jsonl");
  Sizes sizes;
  sizes.H = 2;
  sizes.K = 1;
  for (const char* name : {"blk.1.attn.q", "blk.1.attn.k", "blk.1.h"}) log_tap(log, 1, name, value, sizes);
  log.flush();
  const std::vector<Event> events = read_events(scratch / "events.jsonl").events;
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].at("per_head_l2"), (Event{5.0, 13.0}));
  EXPECT_EQ(events[1].at("per_head_l2").size(), 1U);
  EXPECT_FALSE(events[2].contains("per_head_l2"));
  for (const Event& e : events) EXPECT_TRUE(validate_event(e).empty());
}

}  // namespace
}  // namespace toy

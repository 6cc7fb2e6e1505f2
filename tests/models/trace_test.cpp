// The order in which a page runs is the one that it is written in, whichever compiler builds it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "toy/models/create.h"
#include "toy/tensor/device/trace/trace_device.h"
#include "toy/tensor/tape.h"

namespace toy {
namespace {

Metadata metadata_of(const std::string& arch) {
  Metadata m;
  m.set("general.architecture", arch);
  const auto set = [&](const std::string& name, auto value) { m.set(arch + "." + name, value); };
  set("block_count", 2U);
  set("context_length", 16U);
  set("embedding_length", 8U);
  set("feed_forward_length", 12U);
  set("vocab_size", 20U);
  set("attention.head_count", 2U);
  set("attention.head_count_kv", arch == "gpt2" ? 2U : 1U);
  set(arch == "gpt2" ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 1e-5F);
  return m;
}

/// Every op of a step, forward and back, one on a line: where it ran, its name, the values that it read and wrote.
std::string step_of(const std::string& arch) {
  TraceDevice trace;
  const auto model = new_model(metadata_of(arch), trace, [&](std::string_view name) {
    return arch == "gpt2" && name != "output.weight";  // biases
  });
  Tape tape(trace);
  Batch batch;
  batch.ids.assign(6, 0);
  batch.segments = {{0, 4, 0}, {4, 2, 0}};
  Context ctx(trace, std::move(batch));
  tape.backward(model->loss(model->forward(ctx), Tensor::empty(trace, {6}, DType::I32)));
  std::string text;
  for (const TracedOp& op : trace.ops()) {
    text += fmt::format("{} {}", op.scope.empty() ? "-" : op.scope, op.op->name);
    for (const std::int64_t id : op.inputs) text += " " + trace.value(id).name;
    text += " ->";
    for (const std::int64_t id : op.outputs) text += " " + trace.value(id).name;
    text += "\n";
  }
  return text;
}

class Trace : public testing::TestWithParam<const char*> {};

TEST_P(Trace, OfAStepIsTheRecordedOne) {
  std::ifstream file(std::string(TOY_TEST_DATA) + "/traces/" + GetParam() + ".txt");
  ASSERT_TRUE(file);
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(step_of(GetParam()), expected);
}

INSTANTIATE_TEST_SUITE_P(Pages, Trace, testing::Values("llama", "gpt2"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace toy

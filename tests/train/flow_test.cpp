// flow.json: the graph that tools draw.
#include <gtest/gtest.h>

#include <set>

#include "toy/io/gguf.h"
#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/io/scratch.h"
#include "tests/train/tiny_training.h"

namespace toy {
namespace {

using Json = nlohmann::json;

/// The graph that a run of this architecture leaves, and the file of weights that it trained.
struct Traced {
  Json flow;
  GgufFile weights;
};

Traced traced(const testing::ScratchFolder& scratch, const std::string& arch) {
  CpuDevice device({.threads = 1});
  RunConfig config = test::small_config();
  config.recipe.model = ModelConfig{.arch = arch, .d_model = 16, .layers = 2, .heads = 2, .context = 24}.resolved();
  config.recipe.options.steps = 1;
  config.recipe.options.warmup = 0;
  const auto folder = scratch / arch;
  const RunSummary summary = test::begin_run(folder, config, device).train({});
  return {Json::parse(testing::read_bytes(folder / "flow.json")), GgufFile::open(summary.weights)};
}

/// Names in the file; the rows of a fused tensor by the names of its parts.
std::set<std::string> parameters_of(const GgufFile& file) {
  std::set<std::string> names;
  for (const TensorInfo& t : file.tensors()) {
    const auto fused = t.name.find("attn_qkv");
    if (fused == std::string::npos) {
      names.insert(t.name);
      continue;
    }
    for (const char* part : {"attn_q", "attn_k", "attn_v"}) names.insert(std::string(t.name).replace(fused, 8, part));
  }
  return names;
}

class Flow : public ::testing::TestWithParam<std::string> {};

TEST_P(Flow, HasTheParametersByTheirNamesInTheFile) {
  const testing::ScratchFolder scratch;
  const Traced t = traced(scratch, GetParam());
  std::set<std::string> found, read;
  for (const Json& value : t.flow["values"]) {
    if (value["parameter"]) found.insert(value["name"]);
  }
  EXPECT_EQ(found, parameters_of(t.weights));
  for (const Json& op : t.flow["ops"]) {
    for (const std::size_t i : op["inputs"]) {
      if (t.flow["values"][i]["parameter"]) read.insert(t.flow["values"][i]["name"]);
    }
  }
  EXPECT_EQ(read, found);
}

/// Nothing is stored: attention reads k and v themselves, and every value that an op reads comes from somewhere.
TEST_P(Flow, JoinsKeysAndValuesWithAttention) {
  const testing::ScratchFolder scratch;
  const Json flow = traced(scratch, GetParam()).flow;
  std::set<std::string> known{"ids", "positions", "segments", "targets"};
  if (GetParam() == "llama") known.insert("rope.frequencies");
  for (const Json& value : flow["values"]) {
    if (value["parameter"]) known.insert(value["name"]);
  }
  int layers = 0;
  for (const Json& op : flow["ops"]) {
    std::vector<std::string> inputs;
    for (const std::size_t i : op["inputs"]) inputs.push_back(flow["values"][i]["name"]);
    for (const std::string& name : inputs) EXPECT_TRUE(known.contains(name)) << op;
    for (const std::size_t i : op["outputs"]) known.insert(flow["values"][i]["name"]);
    EXPECT_FALSE(op["outputs"].empty()) << op;
    if (op["op"] != "attention") continue;
    const std::string block = "blk." + std::to_string(layers++) + ".attn.";
    EXPECT_EQ(inputs, (std::vector{block + "q", block + "k", block + "v", std::string("segments")}));
  }
  EXPECT_EQ(layers, 2);
}

INSTANTIATE_TEST_SUITE_P(Architectures, Flow, ::testing::Values("llama", "gpt2"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace toy

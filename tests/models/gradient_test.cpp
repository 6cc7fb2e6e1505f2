// Training on the forward that infers: loss, every gradient and ten AdamW steps against PyTorch.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <optional>

#include "toy/io/safetensors.h"
#include "toy/models/load.h"
#include "toy/optim/adam.h"
#include "toy/optim/clip.h"
#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/tape.h"

#include "tests/models/reference.h"

namespace toy {
namespace {

using Values = std::vector<float>;

/// Where PyTorch's checkpoint has a parameter of ours, and how its elements lie there.
struct Source {
  std::string name;
  bool turned = false;            // Conv1D: [in, out]
  std::int64_t part = -1;         // of a fused q, k, v
  std::int64_t rotary_heads = 0;  // rows of a head as halves there, interleaved here
};

Source gpt2_source(const std::string& ours) {
  if (ours == "token_embd.weight") return {"transformer.wte.weight"};
  if (ours == "position_embd.weight") return {"transformer.wpe.weight"};
  if (ours.starts_with("output_norm.")) return {"transformer.ln_f." + ours.substr(12)};
  const auto dot = ours.find('.', 4);
  const std::string layer = "transformer.h." + ours.substr(4, dot - 4) + ".", rest = ours.substr(dot + 1);
  const auto split = rest.find('.');
  const std::string module = rest.substr(0, split), kind = rest.substr(split + 1);
  const bool matrix = kind == "weight";
  if (module == "attn_norm") return {layer + "ln_1." + kind};
  if (module == "ffn_norm") return {layer + "ln_2." + kind};
  if (module == "attn_output") return {layer + "attn.c_proj." + kind, matrix};
  if (module == "ffn_up") return {layer + "mlp.c_fc." + kind, matrix};
  if (module == "ffn_down") return {layer + "mlp.c_proj." + kind, matrix};
  return {layer + "attn.c_attn." + kind, matrix, module == "attn_q" ? 0 : module == "attn_k" ? 1 : 2};
}

Source llama_source(const std::string& ours, const Sizes& sizes) {
  if (ours == "token_embd.weight") return {"model.embed_tokens.weight"};
  if (ours == "output_norm.weight") return {"model.norm.weight"};
  if (ours == "output.weight") return {"lm_head.weight"};
  const auto dot = ours.find('.', 4);
  const std::string layer = "model.layers." + ours.substr(4, dot - 4) + ".";
  const std::string module = ours.substr(dot + 1, ours.rfind('.') - dot - 1);
  const std::map<std::string, Source> sources{{"attn_norm", {"input_layernorm"}},
                                              {"ffn_norm", {"post_attention_layernorm"}},
                                              {"attn_q", {"self_attn.q_proj", false, -1, sizes.H}},
                                              {"attn_k", {"self_attn.k_proj", false, -1, sizes.K}},
                                              {"attn_v", {"self_attn.v_proj"}},
                                              {"attn_output", {"self_attn.o_proj"}},
                                              {"ffn_gate", {"mlp.gate_proj"}},
                                              {"ffn_up", {"mlp.up_proj"}},
                                              {"ffn_down", {"mlp.down_proj"}}};
  Source source = sources.at(module);
  source.name = layer + source.name + ".weight";
  return source;
}

/// PyTorch's elements in the order of ours.
Values arrange(const Values& theirs, const Source& s, const Shape& shape) {
  const std::int64_t n = shape.elements(), N = shape[0], K = shape.rank() == 2 ? shape[1] : 1;
  Values ours(static_cast<std::size_t>(n));
  const std::int64_t parts = s.part < 0 ? 1 : 3, first = s.part < 0 ? 0 : s.part * N;
  for (std::int64_t i = 0; i < N; ++i) {
    std::int64_t row = i;
    if (s.rotary_heads > 0) {
      const std::int64_t d = N / s.rotary_heads, in_head = i % d;
      row = i - in_head + in_head % 2 * (d / 2) + in_head / 2;
    }
    for (std::int64_t k = 0; k < K; ++k) {
      const std::int64_t at = s.turned ? k * N * parts + first + row : (first + row) * K + k;
      ours[static_cast<std::size_t>(i * K + k)] = theirs[static_cast<std::size_t>(at)];
    }
  }
  return ours;
}

class Training : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = test::reference("models/" + GetParam(), "model.gguf");
    if (folder_.empty()) GTEST_SKIP() << "set TOY_REFERENCE to test " << GetParam();
    golden_.emplace(SafetensorsFile::open(folder_ / "golden.safetensors"));
    json_ = nlohmann::json::parse(std::ifstream(folder_ / "golden.json"));
  }

  /// The mean loss of both rows of ids, each token predicting the next.
  Tensor loss(const Model& model, Device& device) {
    const auto ids = golden_->values<std::int32_t>("ids");
    const auto n = static_cast<std::int64_t>(ids.size()) / 2 - 1;
    Batch batch;
    batch.segments = {{0, n, 0}, {n, n, 0}};
    std::vector<std::int32_t> targets;
    for (const std::size_t row : {std::size_t{0}, ids.size() / 2}) {
      const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(row);
      batch.ids.insert(batch.ids.end(), begin, begin + n);
      targets.insert(targets.end(), begin + 1, begin + 1 + n);
    }
    Context ctx(device, std::move(batch));
    return model.loss(model.forward(ctx), Tensor::of(device, {2 * n}, std::span<const std::int32_t>(targets)));
  }

  static std::vector<Tensor> gradients(const Tape& tape, std::span<const Parameter> all) {
    std::vector<Tensor> g;
    for (const Parameter& p : all) g.push_back(tape.gradient(p.value));
    return g;
  }

  std::filesystem::path folder_;
  std::optional<SafetensorsFile> golden_;
  nlohmann::json json_;
};

TEST_P(Training, LossAndEveryGradientOnEveryLevel) {
  const auto& known = golden_->tensors();
  if (std::none_of(known.begin(), known.end(), [](const auto& t) { return t.name.starts_with("grad."); })) {
    GTEST_SKIP() << "the trimmed data of " << GetParam() << " has no gradients; set TOY_REFERENCE";
  }
  const GgufFile file = GgufFile::open(folder_ / "model.gguf");
  for (const std::string_view level : cpu_levels()) {
    CpuDevice device({.threads = 2, .simd_level = std::string(level)});
    const auto model = load_model(file, device, Use::training);
    Tape tape(device);
    const Tensor l = loss(*model, device);
    tape.backward(l);
    EXPECT_NEAR(l.data<float>()[0], json_.at("loss").get<double>(), 1e-5 * json_.at("loss").get<double>()) << level;
    const auto all = parameters(*model);
    EXPECT_FALSE(all.empty());
    for (const Parameter& p : all) {
      const Source source = GetParam() == "gpt2" ? gpt2_source(p.name) : llama_source(p.name, model->sizes());
      const Values theirs = golden_->values<float>("grad." + source.name);
      const Values expected = arrange(theirs, source, p.value.shape());
      const Tensor g = tape.gradient(p.value);
      ASSERT_TRUE(g) << p.name;
      double error = 0, norm = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const double e = static_cast<double>(expected[i]), d = static_cast<double>(g.data<float>()[i]) - e;
        error += d * d;
      }
      // Of the fused tensor where there is one: the keys' bias alone has a gradient of 0 but for rounding.
      for (const float e : theirs) norm += static_cast<double>(e) * static_cast<double>(e);
      EXPECT_LT(std::sqrt(error), 1e-4 * std::sqrt(norm)) << level << " " << p.name;
    }
  }
}

TEST_P(Training, TenStepsOfAdamW) {
  const GgufFile file = GgufFile::open(folder_ / "model.gguf");
  CpuDevice device({.threads = 2});
  const auto model = load_model(file, device, Use::training);
  AdamW optimizer(parameters(*model), {.rate = 1e-3, .beta2 = 0.95, .weight_decay = 0.1, .decay_vectors = true});
  const auto losses = json_.at("losses").get<std::vector<double>>();
  const auto norms = json_.at("grad_norm").get<std::vector<double>>();
  for (std::size_t step = 0; step < losses.size(); ++step) {
    Tape tape(device);
    const Tensor l = loss(*model, device);
    EXPECT_NEAR(l.data<float>()[0], losses[step], 1e-4 * losses[step]) << step;
    tape.backward(l);
    std::vector<Tensor> g = gradients(tape, optimizer.parameters());
    EXPECT_NEAR(clip_global_norm(g, 1), norms[step], 1e-3 * norms[step]) << step;
    optimizer.step(g);
  }
  EXPECT_NEAR(loss(*model, device).data<float>()[0], json_.at("loss_after").get<double>(), 1e-3);
}

TEST_P(Training, SameBytesForAnyNumberOfThreads) {
  const GgufFile file = GgufFile::open(folder_ / "model.gguf");
  std::vector<Values> in_f32;
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    std::vector<Values> expected;
    for (const int threads : {1, 2, 3}) {
      CpuDevice device({.threads = threads});
      const auto model = load_model(file, device, Use::training);
      AdamW optimizer(parameters(*model), {});
      double last = 0;
      for (int step = 0; step < 2; ++step) {
        Tape tape(device, {precision});
        const Tensor l = loss(*model, device);
        last = static_cast<double>(l.data<float>()[0]);
        tape.backward(l);
        optimizer.step(gradients(tape, optimizer.parameters()));
      }
      EXPECT_TRUE(std::isfinite(last));
      std::vector<Values> found;
      for (const Parameter& p : optimizer.parameters()) {
        found.emplace_back(p.value.values<float>().begin(), p.value.values<float>().end());
      }
      if (expected.empty()) expected = found;
      EXPECT_EQ(found, expected) << threads;
    }
    if (in_f32.empty()) {
      in_f32 = expected;
    } else {
      EXPECT_NE(expected, in_f32) << "the precision changed nothing";
    }
  }
}

/// Rounding 8 bits of every factor moves a loss by little, and a gradient by about as much as the rounding itself.
TEST_P(Training, Bf16IsNearF32) {
  const GgufFile file = GgufFile::open(folder_ / "model.gguf");
  CpuDevice device({.threads = 2});
  const auto model = load_model(file, device, Use::training);
  std::vector<Values> exact;
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    Tape tape(device, {precision});
    const Tensor l = loss(*model, device);
    tape.backward(l);
    EXPECT_NEAR(l.data<float>()[0], json_.at("loss").get<double>(), 2e-3 * json_.at("loss").get<double>());
    double error = 0, norm = 0;
    std::size_t i = 0;
    for (const Parameter& p : parameters(*model)) {
      const auto g = tape.gradient(p.value).values<float>();
      if (precision == Precision::f32) {
        exact.emplace_back(g.begin(), g.end());
        continue;
      }
      const Values& e = exact[i++];
      for (std::size_t j = 0; j < e.size(); ++j) {
        const double d = static_cast<double>(g[j]) - static_cast<double>(e[j]);
        error += d * d;
        norm += static_cast<double>(e[j]) * static_cast<double>(e[j]);
      }
    }
    if (precision == Precision::f32) continue;
    EXPECT_LT(std::sqrt(error), 0.03 * std::sqrt(norm));
    EXPECT_GT(std::sqrt(error), 1e-5 * std::sqrt(norm));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Training,
                         testing::Values("gpt2", "llama-gqa-tied", "llama-linear", "llama-mha", "llama-yarn", "llama3",
                                         "mistral-nemo"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace toy

// Speed of training: random tokens through a random model, step by step.
//   train_bench llama|gpt2 D L H K F V B T [--threads N] [--steps N] [--simd LEVEL] [--bf16] [--json]
// A step is forward, backward, clipping to norm 1 and AdamW on B sequences of T tokens. Prints tokens/s, and for each
// part its time, GFLOP/s and share of the f32 peak measured in this run; and the peak of memory above what the
// program held before it had a model.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "toy/optim/adam.h"
#include "toy/optim/clip.h"
#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/device/cpu/machine.h"
#include "toy/tensor/error.h"
#include "toy/tensor/tape.h"
#include "toy/train/config.h"

#include "tests/peak.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Request {
  std::string kind;
  std::int64_t D = 0, L = 0, H = 0, K = 0, F = 0, V = 0, B = 0, T = 0;
  int threads = 0, steps = 6;
  std::string simd;
  bool bf16 = false, json = false;
};

Request parse(const std::vector<std::string>& words) {
  Request r;
  std::vector<std::string> plain;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--json") {
      r.json = true;
    } else if (words[i] == "--bf16") {
      r.bf16 = true;
    } else if (words[i].starts_with("--") && i + 1 < words.size()) {
      const std::string& value = words[++i];
      if (words[i - 1] == "--threads") r.threads = std::atoi(value.c_str());
      if (words[i - 1] == "--steps") r.steps = std::max(1, std::atoi(value.c_str()));
      if (words[i - 1] == "--simd") r.simd = value;
    } else {
      plain.push_back(words[i]);
    }
  }
  if (plain.size() != 9 || (plain[0] != "llama" && plain[0] != "gpt2")) {
    toy::refuse(
        "usage: train_bench llama|gpt2 D L H K F V B T [--threads N] [--steps N] [--simd LEVEL] [--bf16] [--json]");
  }
  r.kind = plain[0];
  std::int64_t* const sizes[] = {&r.D, &r.L, &r.H, &r.K, &r.F, &r.V, &r.B, &r.T};
  for (std::size_t i = 0; i < 8; ++i) {
    *sizes[i] = std::atoll(plain[i + 1].c_str());
    if (*sizes[i] < 1) toy::refuse("train_bench: expected a whole number above 0, found '{}'", plain[i + 1]);
  }
  return r;
}

std::unique_ptr<toy::Model> random_model(const Request& r, toy::Device& device) {
  toy::ModelConfig config;
  config.arch = r.kind;
  config.d_model = r.D;
  config.layers = r.L;
  config.heads = r.H;
  config.kv_heads = r.K;
  config.d_ff = r.F;
  config.context = r.T;
  toy::Metadata metadata = toy::model_metadata(config, toy::byte_vocabulary(), "bench");
  metadata.set(r.kind + ".vocab_size", static_cast<std::uint32_t>(r.V));
  return toy::initialized_model(metadata, device, 0);
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Floating-point operations of one step, a multiply-add as two; what is computed a second time does not count.
/// The head's gradients are taken with the loss, so they belong to the forward.
struct Cost {
  double forward, backward;
};

Cost cost_of(const Request& r) {
  const auto d = [](std::int64_t n) { return static_cast<double>(n); };
  const double tokens = d(r.B * r.T), kv = d(r.D / r.H * r.K), matrices = r.kind == "gpt2" ? 2 : 3;
  const double layer = d(r.D) * (2 * d(r.D) + 2 * kv + matrices * d(r.F));
  const double attention = 2 * d(r.D) * d(r.T + 1) / 2;
  const double blocks = 2 * tokens * d(r.L) * (layer + attention), head = 2 * tokens * d(r.V * r.D);
  return {blocks + 3 * head, 2 * blocks};
}

struct Times {
  std::vector<double> forward, backward, optimizer, step;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// One step; its times are added. Returns the loss.
double train_step(const toy::Model& model, toy::CpuDevice& device, toy::Tape& tape, toy::Optimizer& optimizer,
                  const Request& r, std::mt19937& generator, Times& times) {
  std::uniform_int_distribution<std::int32_t> any(0, static_cast<std::int32_t>(r.V) - 1);
  toy::Batch batch;
  std::vector<std::int32_t> targets;
  for (std::int64_t s = 0; s < r.B; ++s) batch.segments.push_back({s * r.T, r.T, 0});
  for (std::int64_t t = 0; t < r.B * r.T; ++t) {
    batch.ids.push_back(any(generator));
    targets.push_back(any(generator));
  }
  const auto start = Clock::now();
  device.begin_step();
  double loss = 0;
  {
    toy::Context ctx(device, std::move(batch));
    const toy::Tensor wanted = toy::Tensor::of(device, {r.B * r.T}, std::span<const std::int32_t>(targets));
    const toy::Tensor l = model.loss(model.forward(ctx), wanted);
    loss = static_cast<double>(l.data<float>()[0]);
    times.forward.push_back(seconds_since(start));
    tape.backward(l);
  }
  times.backward.push_back(seconds_since(start) - times.forward.back());
  const auto middle = Clock::now();
  {
    std::vector<toy::Tensor> gradients;
    for (const toy::Parameter& p : optimizer.parameters()) gradients.push_back(tape.gradient(p.value));
    toy::clip_global_norm(gradients, 1);
    optimizer.step(gradients);
  }
  tape.clear();
  device.end_step();
  times.optimizer.push_back(seconds_since(middle));
  times.step.push_back(seconds_since(start));
  return loss;
}

struct Part {
  std::string_view name;
  double seconds, flops;
};

void print(const Request& r, const toy::CpuDevice& device, const Times& times, double loss, double memory) {
  const Cost cost = cost_of(r);
  const double step = median(times.step), tokens = static_cast<double>(r.B * r.T) / step;
  const double peak = toy::cpu::f32_peak(device.threads(), device.simd_level());
  const std::vector<Part> parts{{"forward", median(times.forward), cost.forward},
                                {"backward", median(times.backward), cost.backward},
                                {"optimizer", median(times.optimizer), 0},
                                {"step", step, cost.forward + cost.backward}};
  if (r.json) {
    fmt::print("{{\"tokens_per_second\": {:.1f}, \"memory_bytes\": {:.0f}, \"f32_gigaflops\": {:.1f}, \"loss\": {:.4f}",
               tokens, memory, peak * 1e-9, loss);
    for (const Part& p : parts) fmt::print(", \"{}_seconds\": {:.6f}", p.name, p.seconds);
    fmt::print("}}\n");
    return;
  }
  fmt::print("{} D {} L {} H {} K {} F {} V {} B {} T {}, level {}, {} threads: {:.0f} tokens/s, loss {:.3f}\n", r.kind,
             r.D, r.L, r.H, r.K, r.F, r.V, r.B, r.T, device.simd_level(), device.threads(), tokens, loss);
  for (const Part& p : parts) {
    fmt::print("  {:9} {:9.2f} ms", p.name, p.seconds * 1e3);
    if (p.flops > 0) {
      fmt::print("  {:6.1f} GFLOP/s, {:3.0f} % of the f32 peak of {:.0f}", p.flops / p.seconds * 1e-9,
                 100 * p.flops / p.seconds / peak, peak * 1e-9);
    }
    fmt::print("\n");
  }
  fmt::print("  memory {:.1f} MB above idle at the peak\n", memory / 1e6);
}

void measure(const Request& r) {
  const std::int64_t idle = toy::testing::resident_bytes();
  toy::CpuDevice device({.threads = r.threads, .simd_level = r.simd});
  const auto model = random_model(r, device);
  toy::AdamW optimizer(toy::parameters(*model), {.rate = 1e-3, .weight_decay = 0.01});
  Times times;
  std::mt19937 generator(1);
  double loss = 0;
  for (int i = -2; i < r.steps; ++i) {
    if (i == 0) times = {};
    toy::Tape tape(device, {r.bf16 ? toy::Precision::bf16 : toy::Precision::f32});
    loss = train_step(*model, device, tape, optimizer, r, generator, times);
  }
  print(r, device, times, loss, static_cast<double>(toy::testing::peak_bytes() - idle));
}

}  // namespace

int main(int argc, char** argv) try {
  measure(parse({argv + 1, argv + argc}));
  return 0;
} catch (const toy::Error& error) {
  fmt::print(stderr, "train_bench: {}\n", error.what());
  return 2;
}

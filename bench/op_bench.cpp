// Speed of the test case of every op, on every SIMD level in every form.
//   op_bench [--op NAME] [--simd LEVEL[:FORM]] [--threads N]
// Prints for each case in F32 the time of its forward, its operations by that time as a share of the level's f32 peak,
// the bytes of its inputs and output by it, and forward and backward together. The cases are those of the tests: most
// are small, and show what a call costs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/device/cpu/machine.h"
#include "toy/tensor/device/trace/trace_device.h"
#include "toy/tensor/error.h"
#include "toy/tensor/tape.h"

#include "tests/tensor/op_cases.h"

namespace {

using toy::test::OpCase;

struct Request {
  std::string op, level;
  int threads = 0;
};

Request parse(const std::vector<std::string>& words) {
  Request r;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const bool value = i + 1 < words.size();
    if (value && words[i] == "--op") {
      r.op = words[i + 1];
    } else if (value && words[i] == "--simd") {
      r.level = words[i + 1];
    } else if (value && words[i] == "--threads") {
      r.threads = std::atoi(words[i + 1].c_str());
    } else {
      toy::refuse("usage: op_bench [--op NAME] [--simd LEVEL[:FORM]] [--threads N]");
    }
  }
  return r;
}

/// Best of several runs, at least 0.02 s in all.
template <class F>
double best_seconds(const F& f) {
  double best = 1e9, total = 0;
  for (int i = 0; i < 3 || (total < 0.02 && i < 1000); ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    const double time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, time);
    total += time;
  }
  return best;
}

std::vector<toy::Tensor> inputs_of(const OpCase& c, toy::Device& device) {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(static_cast<float>(c.shift));
  std::vector<toy::Tensor> inputs;
  for (const toy::Shape& shape : c.shapes) {
    std::vector<float> numbers(static_cast<std::size_t>(shape.elements()));
    for (float& x : numbers) x = normal(generator);
    inputs.push_back(toy::Tensor::of(device, shape, std::span<const float>(numbers)));
    inputs.back().set_requires_grad(true);
  }
  return inputs;
}

/// Operations of a forward, as the trace counts them.
double operations(const OpCase& c) {
  toy::TraceDevice trace;
  (void)c.f(inputs_of(c, trace));
  double sum = 0;
  for (const toy::TracedOp& op : trace.ops()) sum += op.flops;
  return sum;
}

struct LevelPeak {
  std::string name;
  double peak;  // f32 operations per second
};

void measure(const OpCase& c, toy::CpuDevice& device, const LevelPeak& level) {
  const std::vector<toy::Tensor> x = inputs_of(c, device);
  const toy::Tensor y = c.f(x), dy = toy::Tensor::zeros(device, y.shape(), y.dtype());
  auto bytes = static_cast<double>(y.bytes());
  std::string shapes;
  for (const toy::Tensor& t : x) {
    bytes += static_cast<double>(t.bytes());
    shapes += (shapes.empty() ? "" : " ") + t.shape().str();
  }
  const double forward = best_seconds([&] {
    const toy::DeviceStep step(device);
    (void)c.f(x);
  });
  const double both = best_seconds([&] {
    const toy::DeviceStep step(device);
    toy::Tape tape(device);
    tape.backward(c.f(x), dy);
  });
  fmt::print("{:12} {:44} {:16} {:9.1f} us {:5.1f} % of f32 peak {:6.1f} GB/s {:9.1f} us with backward\n", c.op, shapes,
             level.name, forward * 1e6, 100 * operations(c) / forward / level.peak, bytes / forward * 1e-9, both * 1e6);
}

void measure(const Request& r) {
  std::vector<std::string> names = toy::cpu_levels_and_forms();
  // A level that has forms is measured in each of them.
  std::erase_if(names, [](const std::string& name) { return toy::cpu_level_problem(name + ":register").empty(); });
  if (!r.level.empty()) names = {r.level};
  std::vector<LevelPeak> levels;
  for (const std::string& name : names) {
    const toy::CpuDevice device({.threads = r.threads, .simd_level = name});
    levels.push_back({name, toy::cpu::f32_peak(device.threads(), device.simd_level())});
  }
  bool found = false;
  for (const OpCase& c : toy::test::op_cases()) {
    if (!r.op.empty() && c.op != r.op) continue;
    found = true;
    for (const LevelPeak& level : levels) {
      toy::CpuDevice device({.threads = r.threads, .simd_level = level.name});
      measure(c, device, level);
    }
  }
  if (!found) toy::refuse("expected an op that has a case in tests/tensor/op_cases.cpp, found '{}'", r.op);
}

}  // namespace

int main(int argc, char** argv) try {
  measure(parse({argv + 1, argv + argc}));
  return 0;
} catch (const toy::Error& error) {
  fmt::print(stderr, "op_bench: {}\n", error.what());
  return 2;
}

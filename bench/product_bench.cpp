// Speed of products as the program computes them, at every SIMD level in every form, beside what this machine can do.
//   product_bench [--simd LEVEL[:FORM]] [--type TYPE] [--threads N] [--rows T] [--shapes all]
// Prints for each type of weight and number of rows the time of y = x W^T, GFLOP/s (int8: GOP/s) as a share of the
// level's f32 peak, and GB/s of weights as a share of the read bandwidth. "train" is a product and both its gradients,
// in F32 and in bf16. Weights are prepared as those of a model; one to a few rows use copies that no cache holds.
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
#include "toy/tensor/error.h"
#include "toy/tensor/ops/linear.h"
#include "toy/tensor/tape.h"

#include "tests/tensor/random_weight.h"

namespace {

using namespace toy;

struct Request {
  std::string level, type;
  int threads = 1;
  std::vector<std::int64_t> rows{1, 8, 512};
  bool all_shapes = false;
};

Request parse(const std::vector<std::string>& words) {
  Request r;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string value = i + 1 < words.size() ? words[i + 1] : "";
    if (words[i] == "--simd" && !value.empty()) {
      r.level = value;
    } else if (words[i] == "--type" && !value.empty()) {
      r.type = value;
    } else if (words[i] == "--threads" && std::atoi(value.c_str()) > 0) {
      r.threads = std::atoi(value.c_str());
    } else if (words[i] == "--rows" && std::atoi(value.c_str()) > 0) {
      r.rows = {std::atoi(value.c_str())};
    } else if (words[i] == "--shapes" && value == "all") {
      r.all_shapes = true;
    } else {
      refuse(
          "usage: product_bench [--simd LEVEL[:FORM]] [--type F32|F16|BF16|Q8_0|Q4_0|Q6_K|train] [--threads N] "
          "[--rows T] [--shapes all]");
    }
  }
  return r;
}

/// Best of several runs, at least 0.05 s in all.
template <class F>
double best_time(const F& f) {
  double best = 1e9, total = 0;
  for (int i = 0; i < 3 || (total < 0.05 && i < 1000); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    const double time = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    best = std::min(best, time);
    total += time;
  }
  return best;
}

struct Bench {
  CpuDevice device;
  std::string level;
  double peak, bandwidth;

  void print(std::string_view what, std::int64_t N, std::int64_t K, std::int64_t T, double time, double operations,
             double bytes) const {
    fmt::print("{:16} {:10} [{:5} x {:5}] T {:4} {:9.1f} us {:8.1f} GOP/s {:4.0f} % of f32 peak", level, what, N, K, T,
               time * 1e6, operations / time * 1e-9, 100 * operations / time / peak);
    if (bytes > 0) {
      fmt::print(" {:6.1f} GB/s {:4.0f} % of bandwidth", bytes / time * 1e-9, 100 * bytes / time / bandwidth);
    }
    fmt::print("\n");
  }

  Tensor random(const Shape& shape) {
    const std::vector<float> numbers = test::random_floats(shape.elements(), 1);
    return Tensor::of(device, shape, std::span<const float>(numbers));
  }
};

/// y = x W^T for a prepared weight.
void measure_weight(Bench& b, DType dtype, std::int64_t N, std::int64_t K, const std::vector<std::int64_t>& rows) {
  const test::Weight w = test::random_weight(dtype, N, K);
  const auto bytes = static_cast<double>(w.rows.size());
  std::vector<Tensor> copies;
  for (const std::int64_t T : rows) {
    const std::int64_t wanted = T > 16 ? 1 : std::max<std::int64_t>(1, (std::int64_t{256} << 20) / std::ssize(w.rows));
    while (std::ssize(copies) < wanted) {
      copies.push_back(b.device.prepare(Tensor::over(b.device, {N, K}, dtype, std::span(w.rows), nullptr)));
    }
    const Tensor x = b.random({T, K});
    const double time = best_time([&] {
      for (std::int64_t i = 0; i < wanted; ++i) {
        const DeviceStep step(b.device);
        (void)linear(x, copies[static_cast<std::size_t>(i)]);
      }
    });
    b.print(name(dtype), N, K, T, time / static_cast<double>(wanted), 2.0 * static_cast<double>(N * K * T), bytes);
  }
}

/// A trained product: forward, and the gradients of x and of the weight.
void measure_training(Bench& b, Precision precision, std::int64_t N, std::int64_t K, std::int64_t T) {
  Tensor x = b.random({T, K}), W = b.random({N, K});
  const Tensor dy = b.random({T, N});
  x.set_requires_grad(true);
  W.set_requires_grad(true);
  const double time = best_time([&] {
    const DeviceStep step(b.device);
    Tape tape(b.device, {precision});
    tape.backward(linear(x, W), dy);
  });
  b.print(precision == Precision::f32 ? "train F32" : "train bf16", N, K, T, time, 6.0 * static_cast<double>(N * K * T),
          0);
}

void measure(const Request& r) {
  const double bandwidth = cpu::ReadBandwidth()(r.threads);
  fmt::print("{}; {} threads, read bandwidth {:.1f} GB/s\n", cpu::processor_name(), r.threads, bandwidth * 1e-9);
  std::vector<std::string> levels = cpu_levels_and_forms();
  // A level that has forms is measured in each of them.
  std::erase_if(levels, [](const std::string& level) {
    return level == "ref" || cpu_level_problem(level + ":register").empty();
  });
  if (!r.level.empty()) levels = {r.level};
  std::vector<std::pair<std::int64_t, std::int64_t>> shapes{{1536, 576}};
  if (r.all_shapes) shapes.insert(shapes.end(), {{576, 1536}, {5632, 2048}, {2048, 5632}});
  for (const std::string& level : levels) {
    Bench b{CpuDevice({.threads = r.threads, .simd_level = level}), level, 0, bandwidth};
    b.peak = cpu::f32_peak(r.threads, b.device.simd_level());
    fmt::print("{}: f32 peak {:.1f} GFLOP/s\n", level, b.peak * 1e-9);
    for (const auto& [N, K] : shapes) {
      for (const DType dtype : test::weight_types) {
        const bool fits = K % info(dtype).block_elements == 0;
        if (fits && (r.type.empty() || r.type == name(dtype))) measure_weight(b, dtype, N, K, r.rows);
      }
      if (!r.type.empty() && r.type != "train") continue;
      for (const Precision precision : {Precision::f32, Precision::bf16}) {
        measure_training(b, precision, N, K, std::ranges::max(r.rows));
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  measure(parse({argv + 1, argv + argc}));
  return 0;
} catch (const toy::Error& error) {
  fmt::print(stderr, "product_bench: {}\n", error.what());
  return 2;
}

// Speed of the product kernel against what this machine can do, in one run.
//   product_bench [level]
// Prints GFLOP/s (f32 weights) or GOP/s (int8), GB/s of weights, and the share of the measured peak or bandwidth.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <vector>

#include "toy/tensor/device/cpu/level.h"
#include "toy/tensor/ops/linear.h"

namespace {

using namespace toy;

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Best of several runs, at least 0.15 s in all.
template <class F>
double best_time(const F& f) {
  double best = 1e9, total = 0;
  for (int i = 0; i < 3 || (total < 0.15 && i < 1000); ++i) {
    const double begin = seconds();
    f();
    const double time = seconds() - begin;
    best = std::min(best, time);
    total += time;
  }
  return best;
}

struct Unmap {
  std::size_t bytes;
  void operator()(std::byte* p) const { munmap(p, bytes); }
};
using Memory = std::unique_ptr<std::byte, Unmap>;

/// In pages of 2 MiB where the system has them; filled so that the pages exist.
Memory allocate(std::int64_t bytes) {
  const std::size_t size = (static_cast<std::size_t>(bytes) + (4u << 20)) & ~std::size_t{(2u << 20) - 1};
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(p, size, MADV_HUGEPAGE);
  std::memset(p, 1, size);
  return Memory(static_cast<std::byte*>(p), Unmap{size});
}

/// Bytes per second of all threads together, reading what no cache holds, each thread in 8 streams.
double read_bandwidth(int threads) {
  const std::int64_t bytes = 512 << 20, words = bytes / 8;
  const Memory memory = allocate(bytes);
  const auto* data = reinterpret_cast<const std::uint64_t*>(memory.get());
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads * 64));
  const Team team(threads);
  const double time = best_time([&] {
    team.share(threads, [&](std::int64_t me) {
      const std::int64_t length = words / threads / 8;
      std::uint64_t sum[8] = {};
      for (std::int64_t i = 0; i + 8 <= length; i += 8) {
        for (int s = 0; s < 8; ++s) {
          const std::uint64_t* p = data + (me * 8 + s) * length + i;
          for (int j = 0; j < 8; ++j) sum[s] += p[j];
        }
      }
      for (const std::uint64_t s : sum) sums[static_cast<std::size_t>(me * 64)] += s;
    });
  });
  return static_cast<double>(bytes) / time;
}

struct Case {
  DType dtype;
  std::int64_t N, K, T;
};

/// Weights enough to leave the caches when T is small: copies of one matrix, used in turn.
double run_case(const cpu::Level& level, const Case& c, int threads) {
  KernelTable kernels;
  level.add_kernels(kernels);
  const std::int64_t width = level.panel_width, panels = (c.N + width - 1) / width;
  const std::int64_t bytes = panels * width * bytes_of(c.dtype, c.K);
  const std::int64_t copies = c.T > 16 ? 1 : std::max<std::int64_t>(1, (256 << 20) / bytes);
  const Memory memory = allocate(bytes * copies);
  std::vector<std::byte> row(static_cast<std::size_t>(bytes_of(c.dtype, c.K) * c.N));
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::byte>(i * 7 % 61);
  for (std::int64_t i = 0; i < copies; ++i) {
    level.pack({c.dtype, row.data(), c.N, c.K, memory.get() + i * bytes, 0, panels});
  }
  const Memory x = allocate(4 * c.T * c.K), y = allocate(4 * c.T * c.N), scratch = allocate(linear_scratch(c.T, c.K));
  auto* values = reinterpret_cast<float*>(x.get());
  for (std::int64_t i = 0; i < c.T * c.K; ++i) values[i] = static_cast<float>(i % 17) - 8.0f;
  const Team team(threads);
  LinearArgs args{values, c.T, c.K, 1, {}, scratch.get(), {}};
  const double time = best_time([&] {
    for (std::int64_t i = 0; i < copies; ++i) {
      args.outputs[0] = {memory.get() + i * bytes,         c.dtype, Layout::panels, c.N, nullptr,
                         reinterpret_cast<float*>(y.get())};
      kernels.get<LinearArgs>()(args, team);
    }
  });
  return time / static_cast<double>(copies);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string wanted = argc > 1 ? argv[1] : "";
  const cpu::Level* level = nullptr;
  for (const cpu::Level& l : cpu::levels()) {
    if (level == nullptr && l.supported() && (wanted.empty() || l.name == wanted)) level = &l;
  }
  if (level == nullptr || level->panel_width == 0) {
    fmt::print(stderr, "no such level\n");
    return 2;
  }
  const std::string only = argc > 2 ? argv[2] : "";
  for (const int threads : {1, 2}) {
    const double bandwidth = read_bandwidth(threads) / 1e9;
    fmt::print("level {}, {} threads: read bandwidth {:.1f} GB/s\n", level->name, threads, bandwidth);
    for (const DType dtype : {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0, DType::Q6_K}) {
      if (!only.empty() && only.find(name(dtype)) == std::string::npos) continue;
      for (const auto& [N, K] : {std::pair{1536L, 576L}, {576L, 1536L}, {5632L, 2048L}, {2048L, 5632L}}) {
        if (K % info(dtype).block_elements != 0) continue;
        for (const std::int64_t T : {1, 2, 4, 8, 512}) {
          const double time = run_case(*level, {dtype, N, K, T}, threads);
          const double operations = 2.0 * static_cast<double>(N * K * T) / time / 1e9;
          const double bytes = static_cast<double>(N * bytes_of(dtype, K)) / time / 1e9;
          fmt::print(
              "{:5} [{:5} x {:5}] T {:4} threads {}: {:9.1f} us {:8.1f} GOP/s {:6.1f} GB/s, {:3.0f} % of bandwidth\n",
              name(dtype), N, K, T, threads, time * 1e6, operations, bytes, 100 * bytes / bandwidth);
        }
      }
    }
  }
}

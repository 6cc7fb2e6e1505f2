#include "toy/tensor/device/cpu/machine.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <new>
#include <sys/mman.h>

#include "toy/tensor/team.h"

namespace toy::cpu {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr std::size_t buffer_bytes = std::size_t{256} << 20;
constexpr std::size_t page_bytes = std::size_t{2} << 20;

/// The sum of the words of a part, read in four streams.
std::uint64_t read_part(const std::uint64_t* words, std::size_t count) {
  const std::size_t quarter = count / 4;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + 8 <= quarter; i += 8) {
    for (std::size_t j = 0; j < 8; ++j) {
      sum += (words[i + j] ^ words[quarter + i + j]) + (words[2 * quarter + i + j] ^ words[3 * quarter + i + j]);
    }
  }
  return sum;
}

/// Rounds of multiply-add on ten independent vectors, enough to hide the latency. This file is compiled so that
/// a * b + c is one instruction where the level has it.
template <class Vector>
[[gnu::always_inline]] inline float chains(std::int64_t rounds) {
  std::array<Vector, 10> sums;
  // Equal chains would be computed once.
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = Vector{} + static_cast<float>(i);
  const Vector x = Vector{} + 0.999F, y = Vector{} + 0.001F;
  for (std::int64_t r = 0; r < rounds; ++r) {
    for (Vector& s : sums) s = s * x + y;
  }
  float total = 0;
  for (const Vector& s : sums) total += s[0];
  return total;
}

template <std::size_t lanes>
struct VectorOf {
  typedef float type __attribute__((vector_size(lanes * sizeof(float))));
};

struct PeakLoop {
  int lanes;
  float (*run)(std::int64_t rounds);
};

float run_4(std::int64_t rounds) { return chains<VectorOf<4>::type>(rounds); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] float run_8(std::int64_t rounds) { return chains<VectorOf<8>::type>(rounds); }
[[gnu::target("avx512f")]] float run_16(std::int64_t rounds) { return chains<VectorOf<16>::type>(rounds); }
#endif

PeakLoop loop_of(std::string_view simd_level) {
#if defined(__x86_64__)
  if (simd_level.starts_with("v4")) return {16, run_16};
  if (simd_level.starts_with("v3")) return {8, run_8};
#endif
  (void)simd_level;
  return {4, run_4};
}

}  // namespace

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

void ReadBandwidth::Unmap::operator()(std::byte* data) const { munmap(data, buffer_bytes); }

ReadBandwidth::ReadBandwidth() {
  void* const memory = mmap(nullptr, buffer_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  buffer_.reset(static_cast<std::byte*>(memory));
  madvise(memory, buffer_bytes, MADV_HUGEPAGE);
  std::memset(memory, 1, buffer_bytes);
}

double ReadBandwidth::operator()(int threads) const {
  const auto pages = static_cast<std::int64_t>(buffer_bytes / page_bytes);
  const Team team(threads);
  std::atomic<std::uint64_t> sum = 0;  // so that the reads are not left out
  const auto start = Clock::now();
  team.share(pages, [&](std::int64_t page) {
    const std::byte* const begin = buffer_.get() + static_cast<std::size_t>(page) * page_bytes;
    sum += read_part(reinterpret_cast<const std::uint64_t*>(begin), page_bytes / sizeof(std::uint64_t));
  });
  const double seconds = seconds_since(start);
  return static_cast<double>(buffer_bytes) / seconds;
}

double f32_peak(int threads, std::string_view simd_level) {
  constexpr std::int64_t rounds = 4'000, pieces_of_thread = 40;
  constexpr int runs = 25;
  constexpr double vectors = 10, operations = 2;
  const PeakLoop loop = loop_of(simd_level);
  const Team team(threads);
  std::atomic<float> sum = 0;  // so that the loop is not left out
  const std::int64_t pieces = pieces_of_thread * threads;
  double best = 0;
  for (int i = 0; i < runs; ++i) {
    const auto start = Clock::now();
    team.share(pieces, [&](std::int64_t) { sum += loop.run(rounds); });
    best = std::max(best, static_cast<double>(rounds * pieces) / seconds_since(start));
  }
  return vectors * operations * loop.lanes * best;
}

}  // namespace toy::cpu

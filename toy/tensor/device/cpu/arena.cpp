#include "toy/tensor/device/cpu/arena.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <sys/mman.h>
#include <unistd.h>

#include "toy/tensor/error.h"

namespace toy::cpu {

namespace {

constexpr std::int64_t alignment = 64;

std::int64_t physical_bytes() {
  return static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::int64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

Arena::Arena() {
  // A system that does not let us reserve so much gives less; with none, malloc serves.
  for (std::int64_t bytes = std::max<std::int64_t>(physical_bytes(), 1 << 30); bytes >= (1 << 28); bytes /= 2) {
    void* p = mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) continue;
    madvise(p, static_cast<std::size_t>(bytes), MADV_HUGEPAGE);
    base_ = static_cast<std::byte*>(p);
    size_ = bytes;
    free_.emplace(0, bytes);
    return;
  }
}

Arena::~Arena() {
  if (base_ != nullptr) munmap(base_, static_cast<std::size_t>(size_));
}

std::byte* Arena::take(std::int64_t bytes) {
  if (bytes == 0) return nullptr;
  const std::int64_t rounded = (bytes + alignment - 1) / alignment * alignment;
  const std::lock_guard lock(mutex_);
  std::int64_t offset = -1;
  if (const auto same = set_aside_.find(rounded); same != set_aside_.end()) {
    offset = same->second.back();
    same->second.pop_back();
    if (same->second.empty()) set_aside_.erase(same);
  } else {
    offset = carve(rounded);
  }
  if (offset >= 0) {
    taken_.emplace(offset, rounded);
    touched_ = std::max(touched_, offset + rounded);
    step_touched_ = std::max(step_touched_, offset + rounded);
    return base_ + offset;
  }
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): given back by give_back
  void* p = std::aligned_alloc(alignment, static_cast<std::size_t>(rounded));
  if (p == nullptr) fail("out of memory: {} bytes for one tensor", bytes);
  return static_cast<std::byte*>(p);
}

std::int64_t Arena::carve(std::int64_t bytes) {
  const auto best_fit = [&] {
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second >= bytes && (best == free_.end() || it->second < best->second)) best = it;
    }
    return best;
  };
  auto best = best_fit();
  const bool untouched = best == free_.end() || best->first + best->second == size_;
  if (untouched && !set_aside_.empty()) {
    merge_all();
    best = best_fit();
  }
  if (best == free_.end()) return -1;
  const auto [offset, available] = *best;
  free_.erase(best);
  if (available > bytes) free_.emplace(offset + bytes, available - bytes);
  return offset;
}

void Arena::merge(std::int64_t offset, std::int64_t bytes) {
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && offset + bytes == next->first) {
    bytes += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      before->second += bytes;
      return;
    }
  }
  free_.emplace_hint(next, offset, bytes);
}

void Arena::merge_all() {
  for (const auto& [size, offsets] : set_aside_) {
    for (const std::int64_t offset : offsets) merge(offset, size);
  }
  set_aside_.clear();
}

void Arena::give_back(std::byte* p) {
  if (p == nullptr) return;
  if (!inside(p)) {
    std::free(p);  // NOLINT(cppcoreguidelines-owning-memory,cppcoreguidelines-no-malloc): from aligned_alloc
    return;
  }
  const std::lock_guard lock(mutex_);
  const auto taken = taken_.find(p - base_);
  const auto [offset, bytes] = *taken;
  taken_.erase(taken);
  if (same_size_first_) {
    set_aside_[bytes].push_back(offset);
  } else {
    merge(offset, bytes);
  }
}

void Arena::same_size_first(bool on) {
  const std::lock_guard lock(mutex_);
  same_size_first_ = on;
}

void Arena::begin_step() {
  const std::lock_guard lock(mutex_);
  merge_all();  // each step then lies as the one before
  step_touched_ = taken_.empty() ? 0 : taken_.rbegin()->first + taken_.rbegin()->second;
}

void Arena::end_step() {
  constexpr std::int64_t slack = 4 << 20;  // not worth the page faults of taking it again
  const std::lock_guard lock(mutex_);
  if (touched_ <= step_touched_ + slack) return;
  const std::int64_t page = sysconf(_SC_PAGESIZE);
  const std::int64_t from = (step_touched_ + page - 1) / page * page;
  madvise(base_ + from, static_cast<std::size_t>(touched_ - from), MADV_DONTNEED);
  touched_ = step_touched_;
}

std::int64_t Arena::taken_bytes() {
  const std::lock_guard lock(mutex_);
  return std::accumulate(taken_.begin(), taken_.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& piece) { return sum + piece.second; });
}

}  // namespace toy::cpu

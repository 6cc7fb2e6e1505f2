// Memory of activations: one stretch of address space, reused step after step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace toy::cpu {

/// Best-fit allocator over reserved address space. Only what was touched takes memory, so its peak is the largest
/// total of live tensors plus what does not fit between them (4 to 6 % in a forward; 14 % with first fit). Falls back
/// to malloc when the space is used up.
class Arena {
 public:
  /// Asks for pages of 2 MiB: weights are streamed, and rows lie far from each other.
  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Aligned to 64 bytes; null for 0 bytes.
  std::byte* take(std::int64_t bytes);
  void give_back(std::byte* p);
  /// From now on, what is given back first serves tensors of the same size: their rows are then written by the threads
  /// whose caches hold them. For steps that keep most of their tensors; others need more memory with it.
  void same_size_first(bool on);
  /// A step is the unit of reuse: end_step returns to the system what lies far above what the step touched.
  void begin_step();
  void end_step();
  /// Bytes between the beginning of the space and the furthest that the latest step took: live tensors and gaps.
  std::int64_t reach() const { return step_touched_; }
  /// Bytes taken now.
  std::int64_t taken_bytes();

 private:
  bool inside(const std::byte* p) const { return p >= base_ && p < base_ + size_; }
  /// Offset of free bytes, the best fit; -1 when there are none. Before it grows into space that was never touched, all
  /// that was set aside is merged.
  std::int64_t carve(std::int64_t bytes);
  void merge(std::int64_t offset, std::int64_t bytes);
  void merge_all();

  std::mutex mutex_;
  bool same_size_first_ = false;
  std::byte* base_ = nullptr;
  std::int64_t size_ = 0;
  std::int64_t touched_ = 0;                                     // offsets below this may be backed by memory
  std::int64_t step_touched_ = 0;                                // the same, since begin_step
  std::map<std::int64_t, std::int64_t> free_;                    // offset -> bytes
  std::map<std::int64_t, std::int64_t> taken_;                   // offset -> bytes
  std::map<std::int64_t, std::vector<std::int64_t>> set_aside_;  // bytes -> offsets, given back and not merged yet
};

}  // namespace toy::cpu

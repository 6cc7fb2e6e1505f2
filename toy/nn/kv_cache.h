// Keys and values of one sequence, in pages that grow with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "toy/tensor/device.h"
#include "toy/tensor/ops/attention.h"

namespace toy {

/// What one layer stores per position.
struct KVShape {
  int layers = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_width = 0;
  friend bool operator==(const KVShape&, const KVShape&) = default;
};

/// The KV cache of one sequence: per layer, pages of 64 positions, taken when a position needs them.
class KVCache {
 public:
  /// dtype F16, F32 or Q8_0. Errors: another type, Q8_0 with a head width that is not a multiple of 32, a shape below
  /// 0.
  KVCache(Device& device, KVShape shape, DType dtype);

  // A copy would share pages and write into them.
  KVCache(const KVCache&) = delete;
  KVCache& operator=(const KVCache&) = delete;
  KVCache(KVCache&&) = default;
  KVCache& operator=(KVCache&&) = default;
  ~KVCache() = default;

  Device& device() const { return *device_; }
  DType dtype() const { return dtype_; }
  const KVShape& shape() const { return shape_; }
  /// Positions stored so far; the engine moves it after each step.
  std::int64_t length() const { return length_; }
  /// Forgets the positions from `length` on, and gives back their pages. Errors: a length below 0, or beyond the room.
  void set_length(std::int64_t length);
  /// Makes room for positions [0, length) of a layer. Errors, as for pages: there is no such layer.
  void reserve(int layer, std::int64_t length);
  /// Page addresses of a layer, in order; valid until the next reserve.
  std::byte* const* pages(int layer) const { return layers_[place(layer)].addresses.data(); }
  /// Bytes taken now.
  std::int64_t bytes() const;
  /// Bytes of a cache that holds `length` positions.
  static std::int64_t bytes_for(KVShape shape, DType dtype, std::int64_t length);

 private:
  struct Layer {
    std::vector<std::shared_ptr<Storage>> pages;
    std::vector<std::byte*> addresses;
  };
  std::size_t place(int layer) const;

  Device* device_;
  KVShape shape_;
  DType dtype_;
  std::int64_t length_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace toy

#include "toy/nn/kv_cache.h"

#include <cstring>

namespace toy {

namespace {

std::int64_t pages_for(std::int64_t length) { return (length + page_positions - 1) / page_positions; }

}  // namespace

KVCache::KVCache(Device& device, KVShape shape, DType dtype)
    : device_(&device), shape_(shape), dtype_(dtype), layers_(static_cast<std::size_t>(shape.layers)) {
  if (dtype != DType::F32 && dtype != DType::F16 && dtype != DType::Q8_0) {
    refuse("KV cache: expected F32, F16 or Q8_0, found {}", name(dtype));
  }
  if (dtype == DType::Q8_0 && shape.head_width % 32 != 0) {
    refuse("KV cache: Q8_0 needs a head width that is a multiple of 32, this model has {}; use f16", shape.head_width);
  }
}

void KVCache::set_length(std::int64_t length) {
  length_ = length;
  for (Layer& layer : layers_) {
    const auto keep = static_cast<std::size_t>(pages_for(length));
    if (layer.pages.size() <= keep) continue;
    layer.pages.resize(keep);
    layer.addresses.resize(keep);
  }
}

void KVCache::reserve(int layer, std::int64_t length) {
  Layer& l = layers_[static_cast<std::size_t>(layer)];
  const std::int64_t bytes = page_bytes(dtype_, shape_.kv_heads, shape_.head_width);
  while (static_cast<std::int64_t>(l.pages.size()) < pages_for(length)) {
    l.pages.push_back(device_->allocate(bytes, Lifetime::kept));
    std::byte* page = l.pages.back()->data;
    // Masked positions are read: they must be numbers.
    if (page != nullptr) std::memset(page, 0, static_cast<std::size_t>(bytes));
    l.addresses.push_back(page);
  }
}

std::int64_t KVCache::bytes() const {
  std::int64_t total = 0;
  for (const Layer& layer : layers_) {
    for (const auto& page : layer.pages) total += page->bytes;
  }
  return total;
}

std::int64_t KVCache::bytes_for(KVShape shape, DType dtype, std::int64_t length) {
  return shape.layers * pages_for(length) * page_bytes(dtype, shape.kv_heads, shape.head_width);
}

}  // namespace toy

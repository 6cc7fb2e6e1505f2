#include "toy/nn/kv_cache.h"

#include <cstring>

namespace toy {

namespace {

std::int64_t pages_for(std::int64_t length) { return (length + page_positions - 1) / page_positions; }

}  // namespace

KVCache::KVCache(Device& device, KVShape shape, DType dtype) : device_(&device), shape_(shape), dtype_(dtype) {
  if (shape.layers < 0 || shape.kv_heads < 0 || shape.head_width < 0) {
    fail("KV cache: expected numbers of 0 or more, found {} layers, {} heads of width {}", shape.layers, shape.kv_heads,
         shape.head_width);
  }
  layers_.resize(static_cast<std::size_t>(shape.layers));
  if (dtype != DType::F32 && dtype != DType::F16 && dtype != DType::Q8_0) {
    refuse("KV cache: expected F32, F16 or Q8_0, found {}", name(dtype));
  }
  if (dtype == DType::Q8_0 && shape.head_width % 32 != 0) {
    refuse("KV cache: Q8_0 needs a head width that is a multiple of 32, this model has {}; use f16", shape.head_width);
  }
}

std::size_t KVCache::place(int layer) const {
  // One that was moved from has no layers.
  if (layer < 0 || layer >= std::ssize(layers_))
    fail("KV cache: layer {} of {} does not exist (they count from 0)", layer, layers_.size());
  return static_cast<std::size_t>(layer);
}

void KVCache::set_length(std::int64_t length) {
  if (length < 0) fail("KV cache: expected a length of 0 or more, found {}", length);
  for (const Layer& layer : layers_) {
    const auto room = static_cast<std::int64_t>(layer.pages.size()) * page_positions;
    if (length > room) fail("KV cache: a length of {} is beyond the room for {} positions", length, room);
  }
  length_ = length;
  for (Layer& layer : layers_) {
    const auto keep = static_cast<std::size_t>(pages_for(length));
    if (layer.pages.size() <= keep) continue;
    layer.pages.resize(keep);
    layer.addresses.resize(keep);
  }
}

void KVCache::reserve(int layer, std::int64_t length) {
  Layer& l = layers_[place(layer)];
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

#include "toy/nn/context.h"

#include <fmt/format.h>

#include "toy/nn/rope.h"
#include "toy/tensor/ops/gather.h"

namespace toy {

namespace {

std::string str(Axis axis) {
  return axis.second == 0 ? std::string(1, axis.first) : fmt::format("{}*{}", axis.first, axis.second);
}

std::string str(std::initializer_list<Axis> axes) {
  std::string text;
  for (const Axis axis : axes) text += fmt::format("{}{}", text.empty() ? "" : " ", str(axis));
  return text;
}

/// A value of a trace that takes no part in the memory of a step.
Tensor kept(Device& device, Shape shape, DType dtype) {
  return {device.allocate(bytes_of(dtype, shape.elements()), Lifetime::kept), shape, dtype};
}

}  // namespace

Context::Context(Device& device, Batch batch) : device_(&device), batch_(std::move(batch)) {
  std::vector<std::int32_t> positions;
  positions.reserve(batch_.ids.size());
  for (const Segment& s : batch_.segments) {
    if (s.begin != static_cast<std::int64_t>(positions.size())) fail("batch: segments do not follow each other");
    if (s.count < 0 || s.past < 0)
      fail("batch: a segment of {} tokens behind {} was given, expected 0 or more of both", s.count, s.past);
    for (std::int64_t i = 0; i < s.count; ++i) positions.push_back(static_cast<std::int32_t>(s.past + i));
  }
  if (positions.size() != batch_.ids.size()) {
    fail("batch: segments of {} tokens for {} ids", positions.size(), batch_.ids.size());
  }
  if (!batch_.caches.empty() && batch_.caches.size() != batch_.segments.size()) {
    fail("batch: {} caches for {} segments", batch_.caches.size(), batch_.segments.size());
  }
  for (std::size_t i = 0; i < batch_.caches.size(); ++i) {
    if (batch_.caches[i] == nullptr) fail("batch: segment {} has no KV cache", i);
    if (&batch_.caches[i]->device() != &device) fail("batch: the KV cache of segment {} lies on another device", i);
    const KVCache& first = *batch_.caches.front();
    if (batch_.caches[i]->dtype() != first.dtype() || batch_.caches[i]->shape() != first.shape()) {
      fail("batch: KV caches of different types or models");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (batch_.caches[i] == batch_.caches[j]) fail("batch: one sequence twice in a forward");
    }
  }
  const auto T = static_cast<std::int64_t>(batch_.ids.size());
  ids_ = Tensor::of(device, {T}, std::span<const std::int32_t>(batch_.ids));
  positions_ = Tensor::of(device, {T}, std::span<const std::int32_t>(positions));
  bind(axes::T, T);
  bind(axes::R, batch_.wanted.empty() ? T : static_cast<std::int64_t>(batch_.wanted.size()));
  if (!batch_.wanted.empty()) {
    wanted_ = Tensor::of(device, {static_cast<std::int64_t>(batch_.wanted.size())},
                         std::span<const std::int32_t>(batch_.wanted));
  }
  if (device.records()) name_inputs();
}

void Context::name_inputs() {
  const Shape shape{static_cast<std::int64_t>(batch_.segments.size()), 3};
  segments_ = kept(*device_, shape, DType::I32);
  device_->name_value(ids_, "ids", str(axes::T));
  device_->name_value(positions_, "positions", str(axes::T));
  device_->name_value(segments_, "segments", str(axes::B) + " 3");
  if (wanted_) device_->name_value(wanted_, "wanted", str(axes::R));
}

Tensor Context::wanted(const Tensor& x) const { return wanted_ ? gather(x, wanted_) : x; }

const Tensor& Context::angles(const RoPE& rope) {
  if (angles_of_ != &rope) {
    angles_ = toy::angles(positions_, rope.frequencies(), rope.scale());
    angles_of_ = &rope;
  }
  return angles_;
}

KeyValues Context::LayerState::append(const Tensor& k, const Tensor& v, std::int64_t head_width) const {
  const Batch& batch = ctx_->batch();
  KeyValues kv;
  if (head_width < 1) fail("append: expected a head width of at least 1, found {}", head_width);
  kv.d = head_width;
  kv.kv_heads = k.width() / head_width;
  kv.segments = ctx_->segments_;
  if (batch.caches.empty()) {
    kv.k = k;
    kv.v = v;
    return kv;
  }
  kv.dtype = batch.caches.front()->dtype();
  if (k.width() != batch.caches.front()->shape().kv_heads * head_width)
    fail("append: the KV cache is of another model");
  for (std::size_t s = 0; s < batch.segments.size(); ++s) {
    const Segment& segment = batch.segments[s];
    batch.caches[s]->reserve(layer_, segment.past + segment.count);
    kv.pages.push_back(batch.caches[s]->pages(layer_));
  }
  if (ctx_->device().records()) {
    std::int64_t stored = 0;
    for (const Segment& segment : batch.segments) stored += segment.past + segment.count;
    kv.state = kept(ctx_->device(), {stored, 2, k.width()}, kv.dtype);
    ctx_->device().name_value(kv.state, "kv", fmt::format("{} 2 {}", str(axes::S), str(axes::K * axes::d)));
  }
  toy::append(k, v, batch.segments, kv);
  return kv;
}

Tensor Context::expect(std::string_view name, Tensor value, std::initializer_list<Axis> axes) {
  bool good = value.shape().rank() == static_cast<int>(axes.size());
  int i = 0;
  for (const Axis axis : axes) good = good && value.shape()[i++] == length(axis);
  if (!good) {
    std::string lengths;
    for (const Axis axis : axes) lengths += fmt::format("{}{}", lengths.empty() ? "" : ", ", length(axis));
    fail("{}: expected [{}] = [{}], found {}", full_name(name), str(axes), lengths, value.shape().str());
  }
  if (tap_) tap_(full_name(name), value);
  if (device_->records()) device_->name_value(value, name, str(axes));
  return value;
}

Context::Scope Context::scope(std::string_view name, int index) {
  scopes_.push_back({name, index});
  if (device_->records()) device_->enter(scopes_.back().str());
  return Scope(*this);
}

void Context::leave() {
  if (device_->records()) device_->leave();
  scopes_.pop_back();
}

std::string Context::Name::str() const { return index < 0 ? std::string(name) : fmt::format("{}.{}", name, index); }

std::string Context::full_name(std::string_view name) const {
  std::string full;
  for (const Name& scope : scopes_) full += fmt::format("{}.", scope.str());
  return full += name;
}

std::size_t Context::place(char axis) {
  const auto at = static_cast<std::size_t>(static_cast<unsigned char>(axis));
  if (at == 0 || at >= std::tuple_size_v<decltype(lengths_)>) fail("context: {} is no letter of an axis", at);
  return at;
}

void Context::bind(Axis axis, std::int64_t length) {
  if (length < 0) fail("context: expected a length of {} of 0 or more, found {}", str(axis), length);
  lengths_[place(axis.first)] = length;
}

std::int64_t Context::length(Axis axis) const {
  const std::int64_t first = lengths_[place(axis.first)];
  return axis.second == 0 ? first : first * lengths_[place(axis.second)];
}

}  // namespace toy

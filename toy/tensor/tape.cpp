#include "toy/tensor/tape.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "toy/tensor/device.h"
#include "toy/tensor/op.h"
#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/reduce.h"

namespace toy {

namespace {

Tensor filled_with_one(const Tensor& like) {
  return like.dtype() == DType::F64 ? Tensor::of(like.device(), like.shape(), std::array{1.0})
                                    : Tensor::of(like.device(), like.shape(), std::array{1.0F});
}

Tensor copy_of(const Tensor& x) {
  Tensor y = Tensor::empty(x.device(), x.shape(), x.dtype());
  if (y.raw() != nullptr && x.bytes() > 0) std::memcpy(y.raw(), x.raw(), static_cast<std::size_t>(x.bytes()));
  return y;
}

}  // namespace

Tape::Tape(Device& device, Options options) : device_(&device), options_(options) {
  if (device.tape_ != nullptr) fail("tape: {} is being recorded already", device.name());
  device.tape_ = this;
}

Tape::~Tape() { device_->tape_ = nullptr; }

bool Tape::wants(std::span<const Tensor* const> inputs) const {
  if (!recording_) return false;
  return std::any_of(inputs.begin(), inputs.end(), [](const Tensor* t) { return *t && t->requires_grad(); });
}

Precision Tape::precision(std::span<const Tensor* const> inputs) const {
  return first_run_ || wants(inputs) ? options_.precision : Precision::f32;
}

Tape::Place Tape::place(const Tensor& value) {
  Storage& storage = value.storage();
  if (storage.id == 0) storage.id = device_->new_value_id();
  const std::int64_t size = bytes_of(value.dtype(), 1);
  return {storage.id, value.shape(), value.offset() / size, storage.bytes / size};
}

void Tape::record(std::span<const Tensor* const> inputs, std::span<Tensor> outputs, Gradient gradient) {
  Node node;
  for (const Tensor* t : inputs) node.inputs.push_back(*t && t->requires_grad() ? place(*t) : Place{});
  for (Tensor& t : outputs) {
    t.set_requires_grad(true);
    node.outputs.push_back(place(t));
  }
  node.gradient = std::move(gradient);
  nodes_.push_back(std::move(node));
}

void Tape::accumulate(const Place& place, Tensor gradient) {
  if (gradient.shape() != place.shape) gradient = sum_to(gradient, place.shape);
  const std::int64_t n = place.shape.elements();
  gradient = gradient.reshape({n});
  Tensor& sum = gradients_[place.id];
  if (!sum && n == place.whole) {
    sum = gradient;  // shared with whoever made it, so not added to
    return;
  }
  if (!sum) sum = Tensor::zeros(*device_, {place.whole}, gradient.dtype());
  if (!sum.alone() && n == place.whole && gradient.alone()) std::swap(sum, gradient);
  if (!sum.alone()) sum = copy_of(sum);
  add_in_place(sum.slice(place.begin, n), gradient);
}

void Tape::walk_back(std::size_t first) {
  const Pause pause(*this);
  while (nodes_.size() > first) {
    const Node node = std::move(nodes_.back());
    nodes_.pop_back();
    std::vector<Tensor> dy(node.outputs.size());
    bool any = false;
    for (std::size_t i = 0; i < dy.size(); ++i) {
      const auto found = gradients_.find(node.outputs[i].id);
      if (found == gradients_.end()) continue;
      dy[i] = found->second.reshape(node.outputs[i].shape);
      gradients_.erase(found);
      any = true;
    }
    if (!any) continue;
    std::vector<Tensor> dx = node.gradient(dy);
    dy.clear();
    for (std::size_t i = 0; i < dx.size(); ++i) {
      if (dx[i] && node.inputs[i].id != 0) accumulate(node.inputs[i], std::move(dx[i]));
      dx[i] = {};
    }
  }
}

void Tape::backward(const Tensor& y) {
  if (!y) fail("backward: expected a scalar, found an empty Tensor");
  if (y.shape().elements() != 1) fail("backward: expected a scalar, found {}", y.shape().str());
  backward(y, filled_with_one(y));
}

void Tape::backward(const Tensor& y, Tensor dy) {
  if (!y || !dy) fail("backward: {} is an empty Tensor", y ? "the gradient" : "the value");
  if (!y.requires_grad()) fail("backward: no leaf that requires a gradient leads to this value");
  if (&y.device() != device_ || &dy.device() != device_) {
    fail("backward: this tape records {}, the value lies on {}, its gradient on {}{}", device_->name(),
         y.device().name(), dy.device().name(), y.device().name() == device_->name() ? ", another device" : "");
  }
  if (dy.shape() != y.shape() || dy.dtype() != y.dtype()) {
    fail("backward: a gradient {} {} for {} {}", name(dy.dtype()), dy.shape().str(), name(y.dtype()), y.shape().str());
  }
  {
    const Pause pause(*this);
    accumulate(place(y), std::move(dy));
  }
  walk_back(0);
}

Tensor Tape::gradient(const Tensor& leaf) const {
  if (!leaf) fail("tape: the gradient of an empty Tensor was asked for");
  if (&leaf.device() != device_) fail("tape: the gradient of a leaf on another device was asked for");
  const auto found = gradients_.find(leaf.storage().id);
  if (found == gradients_.end()) return {};
  const std::int64_t size = bytes_of(leaf.dtype(), 1);
  return found->second.slice(leaf.offset() / size, leaf.shape().elements()).reshape(leaf.shape());
}

Tensor Tape::sum_of(const Tensor& leaf) const {
  const auto found = gradients_.find(leaf.storage().id);
  return found != gradients_.end() && found->second.alone() ? gradient(leaf) : Tensor();
}

void Tape::clear() {
  nodes_.clear();
  gradients_.clear();
}

Tensor Tape::recompute(const Tensor& x, std::function<Tensor(const Tensor&)> f) {
  if (!recording_ || !x.requires_grad()) return f(x);
  Tensor y;
  {
    const Pause pause(*this);
    first_run_ = true;
    y = f(x);
    first_run_ = false;
  }
  const Tensor* input = &x;
  record({&input, 1}, {&y, 1}, [this, x, f = std::move(f)](std::span<const Tensor> dy) {
    const std::size_t first = nodes_.size();
    recording_ = true;  // walk_back has paused it, and pauses it again
    const Tensor again = f(x);
    recording_ = false;
    accumulate(place(again), dy[0]);
    walk_back(first);
    return std::vector<Tensor>(1);
  });
  return y;
}

}  // namespace toy

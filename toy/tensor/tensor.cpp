#include "toy/tensor/tensor.h"

#include <cstring>

#include "toy/tensor/device.h"

namespace toy {

Tensor Tensor::empty(Device& device, Shape shape, DType dtype) {
  return {device.allocate(bytes_of(dtype, shape.elements())), shape, dtype};
}

namespace {

template <class T>
Tensor copy_of(Device& device, Shape shape, DType dtype, std::span<const T> values) {
  if (shape.elements() != static_cast<std::int64_t>(values.size())) {
    fail("tensor: shape {} needs {} values, found {}", shape.str(), shape.elements(), values.size());
  }
  Tensor t = Tensor::empty(device, shape, dtype);
  if (t.raw() != nullptr && !values.empty()) std::memcpy(t.raw(), values.data(), values.size_bytes());
  return t;
}

}  // namespace

Tensor Tensor::of(Device& device, Shape shape, std::span<const float> values) {
  return copy_of(device, shape, DType::F32, values);
}

Tensor Tensor::of(Device& device, Shape shape, std::span<const double> values) {
  return copy_of(device, shape, DType::F64, values);
}

Tensor Tensor::zeros(Device& device, Shape shape, DType dtype) {
  Tensor t = empty(device, shape, dtype);
  if (t.raw() != nullptr) std::memset(t.raw(), 0, static_cast<std::size_t>(t.bytes()));
  return t;
}

Tensor Tensor::of(Device& device, Shape shape, std::span<const std::int32_t> values) {
  return copy_of(device, shape, DType::I32, values);
}

Tensor Tensor::over(Device& device, Shape shape, DType dtype, std::span<const std::byte> bytes,
                    std::shared_ptr<const void> owner) {
  const std::int64_t needed = bytes_of(dtype, shape.elements());
  if (needed != static_cast<std::int64_t>(bytes.size())) {
    fail("tensor: {} {} needs {} bytes, found {}", name(dtype), shape.str(), needed, bytes.size());
  }
  auto storage = std::make_shared<Storage>();
  storage->device = &device;
  // Ops never write to their inputs.
  storage->data = device.records() ? nullptr : const_cast<std::byte*>(bytes.data());
  storage->bytes = needed;
  storage->owner = std::move(owner);
  return {std::move(storage), shape, dtype};
}

Tensor Tensor::slice(std::int64_t begin, std::int64_t count) const {
  if (shape_.rank() == 0 || begin < 0 || count < 0 || begin + count > shape_[0]) {
    fail("slice: rows {}..{} of {}", begin, begin + count, shape_.str());
  }
  if (storage_->layout != Layout::rows) fail("slice: a prepared weight has no rows to share");
  std::array<std::int64_t, Shape::max_rank> axes{};
  for (int i = 0; i < shape_.rank(); ++i) axes[static_cast<std::size_t>(i)] = shape_[i];
  axes[0] = count;
  const std::int64_t row = shape_.elements() / (shape_[0] == 0 ? 1 : shape_[0]);
  Tensor t = *this;
  t.shape_ = Shape(std::span(axes).first(static_cast<std::size_t>(shape_.rank())));
  t.offset_ += bytes_of(dtype_, begin * row);
  return t;
}

Tensor Tensor::reshape(Shape shape) const {
  if (shape.elements() != shape_.elements()) fail("reshape: {} to {}", shape_.str(), shape.str());
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

}  // namespace toy

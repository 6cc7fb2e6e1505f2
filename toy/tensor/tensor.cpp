#include "toy/tensor/tensor.h"

#include <cstring>

#include "toy/tensor/device.h"

namespace toy {

Tensor::Tensor(std::shared_ptr<Storage> storage, Shape shape, DType dtype, std::int64_t offset)
    : storage_(std::move(storage)), shape_(shape), dtype_(dtype), offset_(offset) {
  if (storage_ == nullptr) fail("tensor: {} {} has no storage", name(dtype), shape.str());
  const bool inside = storage_->layout == Layout::panels || (offset >= 0 && bytes() <= storage_->bytes - offset);
  if (!inside) {
    fail("tensor: {} {} from byte {} on does not fit into storage of {} bytes", name(dtype), shape.str(), offset,
         storage_->bytes);
  }
}

void Tensor::empty_error() { fail("tensor: an empty Tensor has no device and no elements"); }

void Tensor::type_error(std::size_t width) const {
  fail("tensor: {} {} is read as another type, of {} bytes", name(dtype_), shape_.str(), width);
}

void Tensor::values_error() const {
  fail("tensor: {} {} has no values to read: it is {}", name(dtype_), shape_.str(),
       storage_->layout == Layout::panels ? "a prepared weight" : "part of a trace");
}

Tensor Tensor::empty(Device& device, Shape shape, DType dtype) {
  if (shape.width() % info(dtype).block_elements != 0) {
    fail("tensor: {} {} needs rows that are a multiple of {}", name(dtype), shape.str(), info(dtype).block_elements);
  }
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
  if (shape_.rank() == 0 || begin < 0 || count < 0 || count > shape_[0] - begin) {
    fail("slice: {} rows from row {} on of {}", count, begin, shape_.str());
  }
  if (shape_.rank() == 1 && (begin % info(dtype_).block_elements != 0 || count % info(dtype_).block_elements != 0)) {
    fail("slice: elements {} to {} of {} {} are no whole blocks of {}", begin, begin + count, name(dtype_),
         shape_.str(), info(dtype_).block_elements);
  }
  if (storage().layout != Layout::rows) fail("slice: a prepared weight has no rows to share");
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
  if (storage().layout != Layout::rows) fail("reshape: a prepared weight keeps its shape, {}", shape_.str());
  if (shape.width() % info(dtype_).block_elements != 0) {
    fail("reshape: {} {} to {}, whose rows are no multiple of {}", name(dtype_), shape_.str(), shape.str(),
         info(dtype_).block_elements);
  }
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

}  // namespace toy

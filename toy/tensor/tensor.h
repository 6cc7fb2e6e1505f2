// Tensor: a small handle on shared storage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "toy/tensor/dtype.h"
#include "toy/tensor/error.h"
#include "toy/tensor/shape.h"

namespace toy {

class Device;

/// How the elements of a weight lie in memory: as the formula writes them, or in the panels a device prefers.
enum class Layout : std::uint8_t { rows, panels };

/// The bytes behind one or more tensors. `owner` keeps them alive: an allocation of the device, or a mapped file.
struct Storage {
  Device* device = nullptr;
  std::byte* data = nullptr;  // null on a device that computes nothing
  std::int64_t bytes = 0;
  Layout layout = Layout::rows;
  bool mapped_file = false;  // pages that can be dropped and read again
  std::shared_ptr<const void> owner;
  std::string name;     // of a parameter
  std::int64_t id = 0;  // of a value in a trace or on a tape; 0: none yet
};

/// Row-major array of any DType. Copies share the elements.
class Tensor {
 public:
  Tensor() = default;
  Tensor(std::shared_ptr<Storage> storage, Shape shape, DType dtype, std::int64_t offset = 0)
      : storage_(std::move(storage)), shape_(shape), dtype_(dtype), offset_(offset) {}

  /// Uninitialized elements in the memory of `device`.
  static Tensor empty(Device& device, Shape shape, DType dtype = DType::F32);
  /// Copies `values` (as many as the shape has elements) to the device.
  static Tensor zeros(Device& device, Shape shape, DType dtype = DType::F32);
  static Tensor of(Device& device, Shape shape, std::span<const float> values);
  static Tensor of(Device& device, Shape shape, std::span<const double> values);
  static Tensor of(Device& device, Shape shape, std::span<const std::int32_t> values);
  /// Bytes that somebody else owns, for example a weight in a mapped file. They are not written to.
  static Tensor over(Device& device, Shape shape, DType dtype, std::span<const std::byte> bytes,
                     std::shared_ptr<const void> owner);

  /// False for a parameter that the model does not have.
  explicit operator bool() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  Device& device() const { return *storage_->device; }
  Storage& storage() const { return *storage_; }
  std::int64_t rows() const { return shape_.rows(); }
  std::int64_t width() const { return shape_.width(); }
  /// Bytes from the start of the storage to the first element.
  std::int64_t offset() const { return offset_; }
  std::int64_t bytes() const { return bytes_of(dtype_, shape_.elements()); }

  /// Address of the first element; null in a trace.
  std::byte* raw() const { return storage_->data == nullptr ? nullptr : storage_->data + offset_; }
  /// Elements of an F32 or I32 tensor on the CPU.
  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(raw());
  }
  template <class T>
  std::span<T> values() const {
    return {data<T>(), static_cast<std::size_t>(shape_.elements())};
  }

  /// Rows [begin, begin + count) of a matrix (elements of a vector), sharing the elements.
  Tensor slice(std::int64_t begin, std::int64_t count) const;
  /// The same elements under another shape.
  Tensor reshape(Shape shape) const;

  /// No other tensor shares the elements.
  bool alone() const { return storage_.use_count() == 1; }

  /// A gradient is wanted. Ops without one refuse such an input.
  bool requires_grad() const { return requires_grad_; }
  void set_requires_grad(bool wanted) { requires_grad_ = wanted; }

 private:
  std::shared_ptr<Storage> storage_;
  Shape shape_;
  DType dtype_ = DType::F32;
  bool requires_grad_ = false;
  std::int64_t offset_ = 0;  // bytes
};

}  // namespace toy

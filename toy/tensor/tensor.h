// Tensor: a small handle on shared storage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
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

/// Whether elements of this type are read as T in memory; bytes are read of any.
template <class T>
constexpr bool holds(DType t) {
  using Number = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<Number, float>) return t == DType::F32;
  if constexpr (std::is_same_v<Number, double>) return t == DType::F64;
  if constexpr (std::is_same_v<Number, std::int8_t>) return t == DType::I8;
  if constexpr (std::is_same_v<Number, std::int16_t>) return t == DType::I16;
  if constexpr (std::is_same_v<Number, std::int32_t>) return t == DType::I32;
  if constexpr (std::is_same_v<Number, std::int64_t>) return t == DType::I64;
  if constexpr (std::is_same_v<Number, std::uint16_t>) return t == DType::F16 || t == DType::BF16;
  return std::is_same_v<Number, std::byte>;
}

/// Row-major array of any DType. Copies share the elements. One that is empty, as `Tensor()`, has no elements: what
/// asks for its device or elements throws Error.
class Tensor {
 public:
  Tensor() = default;
  /// Errors: no storage; elements that lie beyond it.
  Tensor(std::shared_ptr<Storage> storage, Shape shape, DType dtype, std::int64_t offset = 0);

  /// Uninitialized elements in the memory of `device`. Errors: a last axis that is no multiple of the type's block.
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
  Device& device() const { return *storage().device; }
  Storage& storage() const {
    if (storage_ == nullptr) empty_error();
    return *storage_;
  }
  std::int64_t rows() const { return shape_.rows(); }
  std::int64_t width() const { return shape_.width(); }
  /// Bytes from the start of the storage to the first element.
  std::int64_t offset() const { return offset_; }
  std::int64_t bytes() const { return bytes_of(dtype_, shape_.elements()); }

  /// Address of the first element; null in a trace.
  std::byte* raw() const {
    const Storage& s = storage();
    return s.data == nullptr ? nullptr : s.data + offset_;
  }
  /// Address of the first element as T; null in a trace. Errors: elements of another type.
  template <class T>
  T* data() const {
    if (!holds<T>(dtype_)) type_error(sizeof(T));
    return reinterpret_cast<T*>(raw());
  }
  /// Elements of a tensor on the CPU. Errors: elements of another type; a trace, or a prepared weight, which has none
  /// in this order.
  template <class T>
  std::span<T> values() const {
    T* first = data<T>();
    if (storage_->layout != Layout::rows || (first == nullptr && shape_.elements() > 0)) values_error();
    const auto n =
        static_cast<std::size_t>(std::is_same_v<std::remove_cv_t<T>, std::byte> ? bytes() : shape_.elements());
    return {first, n};
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
  [[noreturn]] static void empty_error();
  [[noreturn]] void type_error(std::size_t width) const;
  [[noreturn]] void values_error() const;

  std::shared_ptr<Storage> storage_;
  Shape shape_;
  DType dtype_ = DType::F32;
  bool requires_grad_ = false;
  std::int64_t offset_ = 0;  // bytes
};

}  // namespace toy

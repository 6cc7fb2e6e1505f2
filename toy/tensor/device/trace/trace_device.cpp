#include "toy/tensor/device/trace/trace_device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace toy {

std::shared_ptr<Storage> TraceDevice::allocate(std::int64_t bytes, Lifetime lifetime) {
  if (bytes < 0) fail("allocate: expected 0 bytes or more, found {}", bytes);
  constexpr std::int64_t alignment = 64;
  const std::int64_t rounded = lifetime == Lifetime::step ? (bytes + alignment - 1) / alignment * alignment : 0;
  memory_->live += rounded;
  memory_->peak = std::max(memory_->peak, memory_->live);
  auto storage = std::make_shared<Storage>();
  storage->device = this;
  storage->bytes = bytes;
  storage->id = -1;
  storage->owner =
      std::shared_ptr<const void>(nullptr, [memory = memory_, rounded](const void*) { memory->live -= rounded; });
  return storage;
}

std::int64_t TraceDevice::id_of(const Tensor& t) {
  Storage& storage = t.storage();
  if (storage.id <= 0) {
    storage.id = static_cast<std::int64_t>(values_.size());
    values_.push_back({fmt::format("v{}", storage.id), "", t.shape(), t.dtype(), false});
  }
  return storage.id;
}

const TracedValue& TraceDevice::value(std::int64_t id) const {
  if (id < 0 || id >= std::ssize(values_)) fail("trace: no value has the id {}", id);
  return values_[static_cast<std::size_t>(id)];
}

Tensor TraceDevice::parameter(std::string name, Shape shape, DType dtype) {
  auto storage = std::make_shared<Storage>();
  storage->device = this;
  storage->bytes = bytes_of(dtype, shape.elements());
  storage->name = std::move(name);
  Tensor value(std::move(storage), shape, dtype);
  add_parameter(value);
  return value;
}

void TraceDevice::add_parameter(const Tensor& value) {
  TracedValue& v = values_[static_cast<std::size_t>(id_of(value))];
  v.name = value.storage().name;
  v.parameter = true;
}

void TraceDevice::record(const OpRecord& record) {
  TracedOp op{fmt::format("{}", fmt::join(scope_, ".")), record.op, {}, {}, {}, record.flops, 0};
  for (const Tensor* t : record.inputs) {
    if (!*t) continue;
    op.inputs.push_back(id_of(*t));
    op.bytes += static_cast<double>(t->bytes());
  }
  for (const Tensor& t : record.outputs) {
    op.outputs.push_back(id_of(t));
    op.bytes += static_cast<double>(t.bytes());
  }
  for (const auto& [key, value] : record.hyperparameters) {
    op.hyperparameters.emplace_back(key, std::visit([](const auto& v) { return fmt::format("{}", v); }, value));
  }
  ops_.push_back(std::move(op));
}

void TraceDevice::name_value(const Tensor& value, std::string_view name, std::string_view axes) {
  TracedValue& v = values_[static_cast<std::size_t>(id_of(value))];
  v.name = fmt::format("{}{}{}", fmt::join(scope_, "."), scope_.empty() ? "" : ".", name);
  v.axes = axes;
}

}  // namespace toy

// What a device is: memory, prepared weights, and kernels found by the type of an op's arguments.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "toy/tensor/kernel_table.h"
#include "toy/tensor/team.h"
#include "toy/tensor/tensor.h"

namespace toy {

/// A constant of an op as the trace shows it, for example {"eps", 1e-5}.
using Hyperparameter = std::pair<std::string_view, std::variant<std::int64_t, double, std::string_view>>;

/// One op as it ran, for devices that record instead of computing.
struct OpRecord {
  const Op* op = nullptr;
  std::span<const Tensor* const> inputs;  // an absent optional input is an empty Tensor
  std::span<const Tensor> outputs;
  std::span<const Hyperparameter> hyperparameters;
  double flops = 0;
};

/// Seconds by the name of an op.
using OpSeconds = std::map<std::string_view, double>;

/// How long memory is meant to live: within one step, or across steps (states, weights).
enum class Lifetime : std::uint8_t { step, kept };

class Tape;

class Device {
 public:
  virtual ~Device() = default;
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  virtual std::string_view name() const = 0;
  /// Memory of one tensor, released when the last tensor over it is gone. Errors: bytes below 0.
  virtual std::shared_ptr<Storage> allocate(std::int64_t bytes, Lifetime lifetime = Lifetime::step) = 0;
  /// The weight in the layout this device multiplies by. The original elements are no longer needed.
  /// Errors: a weight of another device.
  virtual Tensor prepare(const Tensor& weight) = 0;
  /// Between the two, memory of activations is reused; end_step gives back what the step did not use.
  virtual void begin_step() {}
  virtual void end_step() {}

  const KernelTable& kernels() const { return kernels_; }
  const Team& team() const { return team_; }
  /// The tape that records ops on this device now; null: none.
  Tape* tape() const { return tape_; }
  /// Where the seconds that each op's kernels take are added up; null: nowhere. It must outlive its use.
  void time_ops(OpSeconds* seconds) { op_seconds_ = seconds; }
  OpSeconds* op_seconds() const { return op_seconds_; }
  /// A number that no other value of this device has.
  std::int64_t new_value_id() { return ++value_ids_; }
  /// True for a device that computes nothing: ops call `record` and no kernel.
  bool records() const { return records_; }
  virtual void record(const OpRecord&) {}

  /// A module's forward begins / ends; a value gets its name and axes ("T D"); a parameter has the name of its storage.
  virtual void enter(std::string_view /*scope*/) {}
  virtual void leave() {}
  virtual void add_parameter(const Tensor& /*value*/) {}
  virtual void name_value(const Tensor& /*value*/, std::string_view /*name*/, std::string_view /*axes*/) {}

 protected:
  KernelTable kernels_;
  Team team_;
  bool records_ = false;

 private:
  friend class Tape;
  Tape* tape_ = nullptr;
  OpSeconds* op_seconds_ = nullptr;
  std::int64_t value_ids_ = 0;
};

/// A step of a device while it lives: pairs begin_step with end_step, also when an op throws.
class DeviceStep {
 public:
  explicit DeviceStep(Device& device) : device_(&device) { device_->begin_step(); }
  ~DeviceStep() { device_->end_step(); }
  DeviceStep(const DeviceStep&) = delete;
  DeviceStep& operator=(const DeviceStep&) = delete;

 private:
  Device* device_;
};

}  // namespace toy

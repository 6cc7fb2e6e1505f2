// The CPU: reference loops and fast kernels, on a chosen number of threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "toy/tensor/device.h"
#include "toy/tensor/device/cpu/arena.h"
#include "toy/tensor/device/cpu/level.h"
#include "toy/tensor/device/cpu/processors.h"

namespace toy {

struct CpuOptions {
  int threads = 0;  // 0: default_threads()
  /// Empty: the best level that this processor supports. Else one of cpu_levels(), whose micro-kernels get the forms
  /// that are measured to be the fastest, or of cpu_levels_and_forms().
  std::string simd_level{};
};

/// Names of the SIMD levels this processor can run, best first.
std::vector<std::string_view> cpu_levels();
/// Names of all levels and, behind those whose micro-kernels have forms, of these: "v4", "v4:memory", "v4:register".
/// The form never changes a byte.
std::vector<std::string> cpu_levels_and_forms();
/// Why that is no value of CpuOptions::simd_level: "expected ..."; empty if it is one.
std::string cpu_level_problem(std::string_view wanted);

class CpuDevice final : public Device {
 public:
  /// Errors: an unknown level, or one that this processor lacks; a form that its micro-kernels do not have (names those
  /// that there are). Takes half a millisecond where forms are measured.
  explicit CpuDevice(const CpuOptions& options = {});

  std::string_view name() const override { return "cpu"; }
  /// The level alone: the form changes no byte.
  std::string_view simd_level() const { return level_->name; }
  const cpu::Level& level() const { return *level_; }
  /// Whether Precision::bf16 makes products faster; elsewhere it is computed in floats, for the same bytes.
  bool fast_bf16() const { return level_->fast_bf16(); }
  int threads() const { return team_.threads(); }
  /// Errors: those of Team::set_threads.
  void set_threads(int threads) { team_.set_threads(threads); }

  std::shared_ptr<Storage> allocate(std::int64_t bytes, Lifetime lifetime = Lifetime::step) override;
  /// Panels of a matrix (other tensors stay as they are); pages of a mapped file are dropped slice by slice.
  Tensor prepare(const Tensor& weight) override;
  void begin_step() override { activations_->begin_step(); }
  void end_step() override { activations_->end_step(); }
  /// Bytes that prepare() would take for a matrix [N, K].
  std::int64_t prepared_bytes(DType dtype, std::int64_t N, std::int64_t K) const;
  /// Memory that the activations of the latest step took at most, and that weights and states take now.
  std::int64_t activation_peak_bytes() const { return activations_->reach(); }
  std::int64_t kept_bytes() const { return kept_->taken_bytes(); }

 private:
  std::shared_ptr<Storage> take(const std::shared_ptr<cpu::Arena>& arena, std::int64_t bytes);

  const cpu::Level* level_;
  std::shared_ptr<cpu::Arena> activations_;
  std::shared_ptr<cpu::Arena> kept_;
};

}  // namespace toy

// Forms of micro-kernels: the same bytes by different instructions, chosen for the processor at hand.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace toy {

/// How a multiply-add gets the factor that serves all its lanes: it reads it from memory itself, or one instruction
/// has spread it into a register for all multiply-adds of the row. Which is faster differs between processors.
enum class Broadcast : std::uint8_t { from_memory, in_register };
inline constexpr std::array<std::string_view, 2> broadcast_names{"memory", "register"};

/// Micro-kernels whose form is chosen; each on its own, as the loads and registers beside the factor differ.
enum class MicroKernel : std::uint8_t { packed_f32, packed_bf16, panel_f32, attention, attention_backward };
inline constexpr std::array<std::string_view, 5> micro_kernel_names{
    "packed f32 tile", "packed bf16 tile", "panel f32 tile", "attention", "attention backward"};

/// The form of each micro-kernel of a device.
class Forms {
 public:
  Forms() : Forms(Broadcast::in_register) {}
  explicit Forms(Broadcast all) { of_.fill(all); }
  Broadcast operator[](MicroKernel kernel) const { return of_[static_cast<std::size_t>(kernel)]; }
  void set(MicroKernel kernel, Broadcast form) { of_[static_cast<std::size_t>(kernel)] = form; }

 private:
  std::array<Broadcast, micro_kernel_names.size()> of_{};
};

}  // namespace toy

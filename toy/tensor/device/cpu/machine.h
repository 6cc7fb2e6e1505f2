// What this machine can do, measured: the ceilings that speeds are compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace toy::cpu {

/// "AMD EPYC 7B13", or "unknown".
std::string processor_name();

/// Reads a buffer that no cache holds.
class ReadBandwidth {
 public:
  /// Takes the buffer, in pages of 2 MiB where the system has them.
  ReadBandwidth();
  /// Bytes per second that `threads` threads read together, each in several streams; one pass over the buffer.
  double operator()(int threads) const;

 private:
  struct Unmap {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Unmap> buffer_;
};

/// F32 operations per second of `threads` threads that only multiply and add, on registers; a multiply-add is two.
/// `simd_level` is a name of cpu_levels().
double f32_peak(int threads, std::string_view simd_level);

}  // namespace toy::cpu

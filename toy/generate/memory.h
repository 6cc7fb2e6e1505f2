// How much memory a model needs, from its header alone.
#pragma once

#include <cstdint>

#include "toy/generate/engine.h"
#include "toy/io/gguf.h"
#include "toy/tensor/device/cpu/cpu_device.h"

namespace toy {

struct MemoryEstimate {
  std::int64_t weights = 0;      // parameters as the device holds them
  std::int64_t kv = 0;           // KV caches, full
  std::int64_t activations = 0;  // largest total of one forward and its logits
  std::int64_t tokenizer = 0;    // metadata and tokenizer, roughly
  std::int64_t total() const { return weights + kv + activations + tokenizer; }
};

/// Bytes for `sequences` sequences of `context` tokens each. Errors: a number below 1.
MemoryEstimate estimate_memory(const GgufFile& file, const CpuDevice& device, DType kv, std::int64_t context,
                               std::int64_t sequences, std::int64_t chunk = EngineOptions{}.chunk);

}  // namespace toy

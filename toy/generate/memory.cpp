#include "toy/generate/memory.h"

#include <algorithm>

#include "toy/models/load.h"

namespace toy {

namespace {

/// Pieces, merges and their hash tables take about three times as much as they do in the file, and one more while they
/// are made.
std::int64_t tokenizer_bytes(const GgufFile& file) {
  std::uint64_t header = file.file_bytes();
  for (const TensorInfo& t : file.tensors()) {
    if (t.shard == 0) header = std::min(header, t.offset);
  }
  return 4 * static_cast<std::int64_t>(header);
}

/// Adds up the parameters of a model as a device will hold them.
class Weights final : public Visitor {
 public:
  explicit Weights(const CpuDevice& device) : device_(&device) {}
  std::int64_t bytes = 0;

 protected:
  void parameter(const std::string& /*name*/, Tensor& value, const Shape& shape, Need /*need*/) override {
    if (!value) return;
    bytes += shape.rank() == 2 ? device_->prepared_bytes(value.dtype(), shape[0], shape[1]) : value.bytes();
  }

 private:
  const CpuDevice* device_;
};

}  // namespace

MemoryEstimate estimate_memory(const GgufFile& file, const CpuDevice& device, DType kv, std::int64_t context,
                               std::int64_t sequences, std::int64_t chunk) {
  if (context < 1 || sequences < 1 || chunk < 1) {
    fail("estimate_memory: expected 1 or more, found {} tokens of {} sequences, in chunks of {}", context, sequences,
         chunk);
  }
  TraceDevice trace;
  const auto model = trace_model(file, trace);
  MemoryEstimate m;
  Weights weights(device);
  model->list(weights);
  m.weights = weights.bytes;
  m.tokenizer = tokenizer_bytes(file);
  m.kv = sequences * KVCache::bytes_for(model->kv_shape(), kv, context);

  // The largest forward: a full chunk of one sequence, or one token of each.
  Batch batch;
  const std::int64_t tokens = std::min(chunk, context);
  batch.ids.assign(static_cast<std::size_t>(std::max(tokens, sequences)), 0);
  batch.segments = {{0, std::max(tokens, sequences), 0}};
  for (std::int64_t s = 0; s < sequences; ++s) batch.wanted.push_back(static_cast<std::int32_t>(s));
  Context ctx(trace, std::move(batch));
  (void)model->logits(model->forward(ctx));
  m.activations = trace.peak_bytes();
  return m;
}

}  // namespace toy

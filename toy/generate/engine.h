// Running many sequences through one forward.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "toy/models/model.h"
#include "toy/nn/kv_cache.h"

namespace toy {

struct EngineOptions {
  DType kv = DType::F16;     // F16, F32 or Q8_0
  std::int64_t context = 0;  // most tokens of a sequence; 0: what the model was trained on
  std::int64_t chunk = 512;  // most tokens of a sequence in one forward
};

/// Decodes sequences together. What a sequence gets does not depend on the others, on the chunks, or on threads.
class Engine {
 public:
  /// Errors: a context beyond learned positions; a KV type that the head width does not fit.
  Engine(const Model& model, Device& device, EngineOptions options = {});

  /// An empty sequence.
  KVCache sequence() const { return {*device_, model_->kv_shape(), options_.kv}; }
  std::int64_t context() const { return options_.context; }
  /// Whether a larger context would be admitted.
  bool can_grow() const { return !model_->sizes().learned_positions || context() < model_->sizes().context; }
  std::int64_t vocabulary() const { return model_->sizes().V; }

  /// Which rows of a feed come back.
  enum class Want : std::uint8_t { nothing, last, all };
  /// Tokens to append to one sequence.
  struct Feed {
    KVCache* sequence;
    std::span<const std::int32_t> ids;
    Want want = Want::last;
  };
  /// Appends every feed to its sequence in one forward. Returns the hidden rows [R, D] that are wanted, feed by feed;
  /// an empty Tensor when none is. Errors: no feeds, a feed without ids or sequence, ids out of range, a sequence twice
  /// or beyond the context; then nothing is appended.
  Tensor hidden(std::span<const Feed> feeds);
  /// Logits [R, V] of hidden rows.
  Tensor logits(const Tensor& hidden) const { return model_->logits(hidden); }

  /// Feeds ids in chunks; the logits [1, V] after the last, an empty Tensor without ids. `go_on` is asked before each
  /// chunk: when it says no, the result is empty and the sequence holds the chunks before.
  Tensor prefill(KVCache& sequence, std::span<const std::int32_t> ids, const std::function<bool()>& go_on = {});
  /// Feeds one id to each of several sequences; logits [sequences, V].
  Tensor decode(std::span<KVCache* const> sequences, std::span<const std::int32_t> ids);

  /// Errors: an id outside the vocabulary (names it and its place).
  void check_ids(std::span<const std::int32_t> ids) const;

 private:
  const Model* model_;
  Device* device_;
  EngineOptions options_;
};

}  // namespace toy

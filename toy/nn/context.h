// What differs between training, prefill, decoding and tracing: everything a forward needs beside its input.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "toy/nn/axes.h"
#include "toy/nn/kv_cache.h"
#include "toy/tensor/device.h"
#include "toy/tensor/ops/attention.h"
#include "toy/tensor/tape.h"
#include "toy/tensor/tensor.h"

namespace toy {

class RoPE;

/// Tokens of several sequences as one ragged batch [T].
struct Batch {
  std::vector<std::int32_t> ids;     // [T], sequence after sequence
  std::vector<Segment> segments;     // one per sequence
  std::vector<KVCache*> caches;      // one per segment; empty: nothing is stored (training, scoring a whole text)
  std::vector<std::int32_t> wanted;  // rows whose hidden state is needed, ascending; empty: all
};

/// Called with the full name of a value ("blk.3.y") whenever Context::expect names one.
using Tap = std::function<void(std::string_view name, const Tensor& value)>;

/// One forward over one batch.
class Context {
 public:
  /// Errors: segments that do not cover the ids in order; caches that are missing, unlike, given twice or of
  /// another device.
  Context(Device& device, Batch batch);

  Device& device() const { return *device_; }
  const Batch& batch() const { return batch_; }
  std::span<const Segment> segments() const { return batch_.segments; }
  /// Ids of the batch [T] I32, and each one's position in its sequence [T] I32.
  const Tensor& ids() const { return ids_; }
  const Tensor& positions() const { return positions_; }
  /// Rows [R, D] of x [T, D] that are wanted.
  Tensor wanted(const Tensor& x) const;
  /// Rotation angles of this batch, computed once per forward.
  const Tensor& angles(const RoPE& rope);

  /// The state of layer l. append stores the rows of k, v and returns all that attention may see; where nothing is
  /// stored it returns its arguments.
  class LayerState {
   public:
    KeyValues append(const Tensor& k, const Tensor& v, std::int64_t head_width) const;

   private:
    friend class Context;
    LayerState(const Context& ctx, int layer) : ctx_(&ctx), layer_(layer) {}
    const Context* ctx_;
    int layer_;
  };
  LayerState state(int layer) const { return {*this, layer}; }

  /// Sets the length of an axis for this forward. Errors: an axis that is no letter, a length below 0.
  void bind(Axis axis, std::int64_t length);
  /// Names a value, checks its axes, returns it. Errors: another shape, with the names and both shapes.
  Tensor expect(std::string_view name, Tensor value, std::initializer_list<Axis> axes);

  /// The name of a module while its forward runs.
  class Scope {
   public:
    ~Scope() { ctx_->leave(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    friend class Context;
    explicit Scope(Context& ctx) : ctx_(&ctx) {}
    Context* ctx_;
  };
  [[nodiscard]] Scope scope(std::string_view name, int index = -1);

  /// y = block(x), the block of layer l, in the scope "blk.l". Where the tape says so, what is inside is computed again
  /// on the way back; this context and the block must be there then.
  template <class Block>
  Tensor layer(int l, const Block& block, const Tensor& x) {
    const auto run = [this, l, &block](const Tensor& in) {
      const auto in_scope = scope("blk", l);
      return block.forward(in, *this);
    };
    Tape* const tape = device_->tape();
    if (tape == nullptr || !tape->recomputes()) return run(x);
    return tape->recompute(x, [this, run, again = false](const Tensor& in) mutable {
      Tap tap = std::exchange(tap_, again ? Tap() : tap_);  // taps see each value once
      again = true;
      Tensor y = run(in);
      tap_ = std::move(tap);
      return y;
    });
  }
  /// Watches every named value.
  void set_tap(Tap tap) { tap_ = std::move(tap); }

 private:
  struct Name {
    std::string_view name;
    int index;
    std::string str() const;
  };
  void leave();
  /// What a trace is told of the inputs of a forward.
  void name_inputs();
  std::string full_name(std::string_view name) const;
  std::int64_t length(Axis axis) const;
  static std::size_t place(char axis);

  Device* device_;
  Batch batch_;
  Tensor ids_, positions_, wanted_;
  Tensor segments_;  // [B, 3] I32, in a trace alone
  Tensor angles_;
  const RoPE* angles_of_ = nullptr;
  std::array<std::int64_t, 128> lengths_{};
  std::vector<Name> scopes_;
  Tap tap_;
};

}  // namespace toy

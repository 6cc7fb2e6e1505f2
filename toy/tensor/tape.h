// The tape: what ran, in order, so that the chain rule can walk it backwards.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <unordered_map>
#include <vector>

#include "toy/tensor/tensor.h"

namespace toy {

class Device;

/// The derivative of one op: from the gradients of its outputs (empty where none arrived) those of its inputs, in
/// their order (empty where none is wanted). A gradient may have the shape that its input was broadcast to.
using Gradient = std::function<std::vector<Tensor>(std::span<const Tensor> dy)>;

/// Records the ops of one device from its construction to its end, where an input requires a gradient.
///
///     Tape tape(device);
///     tape.backward(loss(parameters));          // dloss/dloss = 1
///     tape.gradient(w);                         // dloss/dw
///
/// Gradients belong to storage: what a slice or another shape of a value receives is added to the value's own. Those of
/// leaves add up over several backward passes; those of intermediate values live until they have been used.
class Tape {
 public:
  struct Options {
    /// Of the products with weights that are recorded (linear, the head of cross_entropy) and of their gradients.
    /// Everything else, weights and gradients among it, stays in f32 (Micikevicius et al. 2018).
    Precision precision = Precision::f32;
    /// The values inside the layers of a model are computed again on the way back (Context::layer).
    bool recompute = false;
  };
  /// Errors: a device that has a tape already.
  explicit Tape(Device& device) : Tape(device, Options()) {}
  Tape(Device& device, Options options);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Walks back from y, with dy of its shape (by default 1, for a scalar), and forgets what was recorded.
  /// Errors: a y that does not depend on a leaf, or that is no scalar without dy; an empty y or dy, or one of another
  /// device or shape.
  void backward(const Tensor& y);
  void backward(const Tensor& y, Tensor dy);
  /// The gradient of a leaf, in its shape; an empty Tensor if none reached it. Errors: a leaf that is empty or of
  /// another device.
  Tensor gradient(const Tensor& leaf) const;
  /// What has been summed for a leaf so far, to be added to in place; empty where nothing has, or others hold it too.
  Tensor sum_of(const Tensor& leaf) const;
  /// Sets all gradients to zero and forgets what was recorded.
  void clear();

  /// Of a product of these inputs.
  Precision precision(std::span<const Tensor* const> inputs) const;
  bool recomputes() const { return options_.recompute && recording_; }
  /// Whether most values live until the way back.
  bool keeps_values() const { return !options_.recompute; }
  /// True when an op with these inputs belongs on the tape.
  bool wants(std::span<const Tensor* const> inputs) const;
  /// The end of an op's forward: marks the outputs as depending on the inputs.
  void record(std::span<const Tensor* const> inputs, std::span<Tensor> outputs, Gradient gradient);

  /// y = f(x) without keeping what is inside f: it runs again on the way back (Chen et al. 2016). What f refers to must
  /// be there then.
  Tensor recompute(const Tensor& x, std::function<Tensor(const Tensor&)> f);

  /// Nothing is recorded while one lives.
  class Pause {
   public:
    explicit Pause(Tape& tape) : tape_(&tape), before_(tape.recording_) { tape.recording_ = false; }
    ~Pause() { tape_->recording_ = before_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Tape* tape_;
    bool before_;
  };

 private:
  /// Where a value lies in its storage; keeps no elements alive.
  struct Place {
    std::int64_t id = 0;  // of the storage; 0: no gradient is wanted
    Shape shape;
    std::int64_t begin = 0, whole = 0;  // elements
  };
  struct Node {
    std::vector<Place> inputs, outputs;
    Gradient gradient;
  };
  Place place(const Tensor& value);
  void walk_back(std::size_t first);
  void accumulate(const Place& place, Tensor gradient);

  Device* device_;
  Options options_;
  bool recording_ = true;
  bool first_run_ = false;  // of something that is recomputed: not recorded, but in its precision
  std::vector<Node> nodes_;
  std::unordered_map<std::int64_t, Tensor> gradients_;  // by id: [elements of the storage]
};

}  // namespace toy

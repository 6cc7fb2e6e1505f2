// Training a model: one step after another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "toy/models/model.h"
#include "toy/optim/optimizer.h"
#include "toy/tensor/device.h"
#include "toy/tensor/tape.h"
#include "toy/text/tokenizer.h"
#include "toy/train/batches.h"
#include "toy/train/tokens.h"

namespace toy {

/// How a model is trained. The defaults are those of `toy train from-scratch`.
struct TrainingOptions {
  std::int64_t steps = 1000;           // in all
  std::int64_t batch = 8;              // sequences of a forward
  std::int64_t accumulate = 1;         // forwards of a step
  double rate = 3e-4;                  // learning rate
  std::int64_t warmup = 0;             // steps until it is reached
  bool cosine = false;                 // then down half a cosine to least_rate
  std::optional<double> least_rate{};  // absent: a tenth of the rate
  double beta2 = 0.99;                 // of AdamW
  double weight_decay = 0.1;           // of matrices
  double clip = 1;                     // largest norm of the gradient; 0: any
  bool documents = false;              // attention stays inside a document
  double validation_share = 0.1;       // of the tokens, at the end
  std::uint64_t seed = 0;
  bool recompute = false;  // values inside layers are computed again on the way back: less memory, more time
  bool bf16 = false;       // products in bf16; parameters, norms, softmax, residual stream and loss stay f32

  /// Errors: a value out of its range, a cosine without warmup (names the option).
  void check() const;
  Tape::Options tape() const { return {bf16 ? Precision::bf16 : Precision::f32, recompute}; }
};

/// What one step did.
struct StepResult {
  std::int64_t step = 0;  // counted from 1
  double loss = 0;        // mean over its targets, before the update; 0 without any
  double rate = 0;
  double gradient_norm = 0;  // before clipping
  std::int64_t tokens = 0;
  std::int64_t targets = 0;  // tokens whose next one counts in the loss: all, or with `documents` those inside one
};

/// A model, its optimizer and its data, at some step.
class Training {
 public:
  struct Parts {
    Device* device = nullptr;
    Metadata metadata;  // of the model's file, vocabulary included
    std::unique_ptr<Model> model;
    Tokenizer tokenizer;
    TokenData tokens;
  };
  /// The device must outlive it. Errors: options as check(); a corpus too short.
  Training(Parts parts, std::int64_t context, const TrainingOptions& options);

  /// One update. Errors: a loss or gradient that is not finite (says where first); the training is then as before it.
  StepResult step();
  std::int64_t steps() const { return optimizer_->steps(); }
  bool done() const { return steps() >= options_.steps; }
  /// Mean loss over the validation part, or over at most so many windows spread over it; nothing if that part has
  /// no two tokens, or when cancelled.
  std::optional<double> validation_loss(std::int64_t most_windows = 0, const std::stop_token& cancel = {}) const;
  /// Windows that it reads.
  std::int64_t validation_windows(std::int64_t most_windows = 0) const;

  /// Sees the gradients of a step (in the order of parameters()) before they are clipped.
  using Watch = std::function<void(std::span<const Parameter>, std::span<const Tensor>)>;
  void watch_gradients(Watch watch) { watch_ = std::move(watch); }
  /// Watches the named values of the next step's forward.
  void tap_next(Tap tap) { tap_ = std::move(tap); }

  const TrainingOptions& options() const { return options_; }
  std::int64_t context() const { return context_; }
  Model& model() const { return *parts_.model; }
  const Tokenizer& tokenizer() const { return parts_.tokenizer; }
  const TokenData& tokens() const { return parts_.tokens; }
  const Metadata& metadata() const { return parts_.metadata; }
  Device& device() const { return *parts_.device; }
  Optimizer& optimizer() const { return *optimizer_; }
  WindowSampler& windows() { return windows_; }
  const WindowSampler& windows() const { return windows_; }
  /// Tokens [0, split) are trained on, the rest validates.
  std::int64_t split() const { return split_; }

 private:
  /// The loss of a part of a step, and the gradients of its parameters in their order.
  struct Contribution {
    double loss = 0;
    std::vector<Tensor> gradients;
  };
  static void add(Contribution& sum, Contribution term);
  Contribution forward_backward(Tape& tape, std::int64_t targets);
  std::int64_t next_targets() const;
  StepResult update();
  [[noreturn]] void loss_not_finite(const Examples& e) const;
  [[noreturn]] void gradient_not_finite(std::span<const Tensor> gradients, double loss) const;

  Parts parts_;
  std::int64_t context_;
  TrainingOptions options_;
  std::int64_t split_;
  WindowSampler windows_;
  std::unique_ptr<Optimizer> optimizer_;
  Watch watch_;
  Tap tap_;
};

}  // namespace toy

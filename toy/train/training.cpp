#include "toy/train/training.h"

#include <algorithm>
#include <cmath>

#include "toy/optim/adam.h"
#include "toy/optim/clip.h"
#include "toy/optim/schedule.h"
#include "toy/tensor/ops/add.h"
#include "toy/train/pairwise_sum.h"

namespace toy {

namespace {

void at_least(const char* name, std::int64_t value, std::int64_t least) {
  if (value < least) refuse("{}: expected {} or more, found {}", name, least, value);
}

void within(const char* name, double value, double least, double most) {
  if (!(value >= least && value <= most)) refuse("{}: expected {} to {}, found {}", name, least, most, value);
}

/// Where validation begins: at the share's place, moved to the next document if documents are many.
std::int64_t split_of(const TokenData& tokens, double validation_share) {
  const auto size = static_cast<double>(tokens.size());
  const auto split = static_cast<std::int64_t>(size * (1 - validation_share));
  constexpr std::size_t many = 100;
  if (validation_share == 0 || tokens.documents().size() < many) return split;
  const auto next = tokens.documents(split, tokens.size());
  return next.empty() ? split : static_cast<std::int64_t>(next.front());
}

std::unique_ptr<Optimizer> optimizer_of(Model& model, const TrainingOptions& o) {
  auto adam = std::make_unique<AdamW>(parameters(model),
                                      AdamOptions{.rate = o.rate, .beta2 = o.beta2, .weight_decay = o.weight_decay});
  if (o.cosine) {
    return std::make_unique<CosineWithWarmup>(std::move(adam), o.warmup, o.steps, o.least_rate.value_or(o.rate / 10));
  }
  if (o.warmup > 0) return std::make_unique<LinearWarmup>(std::move(adam), o.warmup);
  return adam;
}

double value_of(const Tensor& scalar) { return static_cast<double>(scalar.data<float>()[0]); }

Tensor targets_of(Device& device, const Examples& e) {
  return Tensor::of(device, {static_cast<std::int64_t>(e.targets.size())}, std::span<const std::int32_t>(e.targets));
}

void check(const Training::Parts& parts) {
  if (parts.device == nullptr) fail("training: there is no device");
  if (parts.model == nullptr) fail("training: there is no model");
}

bool finite(const Tensor& t) {
  return std::ranges::all_of(t.values<float>(), [](float x) { return std::isfinite(x); });
}

}  // namespace

void TrainingOptions::check() const {
  at_least("steps", steps, 1);
  at_least("batch-size", batch, 1);
  at_least("accumulate", accumulate, 1);
  at_least("warmup-steps", warmup, 0);
  within("lr", rate, 0, 1e3);
  within("min-lr", least_rate.value_or(rate / 10), 0, rate);
  within("beta2", beta2, 0, 0.9999999);
  within("weight-decay", weight_decay, 0, 1e3);
  within("clip-grad", clip, 0, 1e9);
  within("val-share", validation_share, 0, 0.9);
  if (batch > 1 << 20 || accumulate > 1 << 20) refuse("batch-size and accumulate: expected at most {}", 1 << 20);
  if (cosine && warmup >= steps) {
    refuse("warmup-steps {} must be below steps {}: the cosine begins after them", warmup, steps);
  }
}

Training::Training(Parts parts, std::int64_t context, const TrainingOptions& options)
    : parts_(std::move(parts)),
      context_(context),
      options_((options.check(), check(parts_), options)),
      split_(split_of(parts_.tokens, options.validation_share)),
      windows_(0, split_, context, options.seed),
      optimizer_(optimizer_of(*parts_.model, options)) {
  if (parts_.tokens.vocabulary() > parts_.model->sizes().V) {
    fail("training: the corpus has a vocabulary of {}, the model one of {}", parts_.tokens.vocabulary(),
         parts_.model->sizes().V);
  }
}

/// sum += term
void Training::add(Contribution& sum, Contribution term) {
  sum.loss += term.loss;
  for (std::size_t i = 0; i < sum.gradients.size(); ++i) {
    Tensor &a = sum.gradients[i], b = std::move(term.gradients[i]);
    if (!b) continue;
    if (!a) {
      a = std::move(b);
    } else if (a.alone()) {
      add_in_place(a, b);
    } else {
      a = a + b;  // two parameters may share one gradient
    }
  }
}

/// Targets that count in the windows of the next step.
std::int64_t Training::next_targets() const {
  if (!options_.documents) return options_.batch * options_.accumulate * context_;
  WindowSampler ahead = windows_;
  std::int64_t targets = 0;
  for (std::int64_t i = 0; i < options_.batch * options_.accumulate; ++i) {
    targets += counted_targets(parts_.tokens, ahead.next(), context_, true);
  }
  return targets;
}

/// Loss and gradients of the step's windows: sums over their targets, divided by the number of those. Micro-batches are
/// added pairwise, so that the order depends on their number alone.
Training::Contribution Training::forward_backward(Tape& tape, std::int64_t targets) {
  PairwiseSum<Contribution> sum;
  for (std::int64_t i = 0; i < options_.accumulate; ++i) {
    std::vector<std::int64_t> starts(static_cast<std::size_t>(options_.batch));
    for (std::int64_t& start : starts) start = windows_.next();
    const Examples e = examples(parts_.tokens, starts, context_, options_.documents);
    Contribution part;
    {
      Context ctx(device(), e.batch);
      if (i == 0 && tap_) ctx.set_tap(std::move(tap_));
      const Tensor hidden = model().forward(ctx);
      const Tensor loss = model().loss(hidden, targets_of(device(), e), targets);
      part.loss = value_of(loss);
      if (!std::isfinite(part.loss)) loss_not_finite(e);
      tape.backward(loss);
    }
    for (const Parameter& p : optimizer_->parameters()) part.gradients.push_back(tape.gradient(p.value));
    tape.clear();
    sum.push(std::move(part), add);
  }
  tap_ = {};
  return sum.take(add);
}

StepResult Training::step() {
  const std::int64_t epoch = windows_.state().epoch, position = windows_.state().position;
  try {
    return update();
  } catch (...) {
    windows_.rewind(epoch, position);
    throw;
  }
}

StepResult Training::update() {
  StepResult result;
  result.step = steps() + 1;
  result.rate = optimizer_->learning_rate();
  result.tokens = options_.batch * options_.accumulate * context_;
  result.targets = next_targets();
  const DeviceStep memory(device());
  {
    Tape tape(device(), options_.tape());
    const Contribution sum = forward_backward(tape, result.targets);
    result.loss = sum.loss;
    const std::vector<Tensor>& gradients = sum.gradients;
    if (watch_) watch_(optimizer_->parameters(), gradients);
    result.gradient_norm = options_.clip > 0 ? clip_global_norm(gradients, options_.clip) : global_norm(gradients);
    if (!std::isfinite(result.gradient_norm)) gradient_not_finite(gradients, result.loss);
    optimizer_->step(gradients);
  }
  return result;
}

/// Gradients flow from the last parameter to the first: the last that is not finite is where it began. Where all are,
/// their squares are too large.
void Training::gradient_not_finite(std::span<const Tensor> gradients, double loss) const {
  const auto parameters = optimizer_->parameters();
  std::size_t largest = 0;
  float most = 0;
  for (std::size_t i = gradients.size(); i-- > 0;) {
    if (!gradients[i]) continue;
    if (!finite(gradients[i])) {
      fail("step {}: the gradient of {} is not finite (loss {}); training anew with a smaller lr may help", steps() + 1,
           parameters[i].name, loss);
    }
    for (const float x : gradients[i].values<float>()) {
      if (std::abs(x) <= most) continue;
      most = std::abs(x);
      largest = i;
    }
  }
  fail(
      "step {}: the norm of the gradient is not finite: elements of up to {:.3g}, in that of {} (loss {}); "
      "training anew with a smaller lr may help",
      steps() + 1, most, parameters[largest].name, loss);
}

void Training::loss_not_finite(const Examples& e) const {
  std::string first;
  const Tape::Pause pause(*device().tape());
  Context ctx(device(), e.batch);
  ctx.set_tap([&](std::string_view name, const Tensor& value) {
    if (first.empty() && value.dtype() == DType::F32 && !finite(value)) first = name;
  });
  (void)model().forward(ctx);
  fail("step {}: the loss is not finite; {}; training anew with a smaller lr may help", steps() + 1,
       first.empty() ? "the hidden rows still are" : "the first value that is not: " + first);
}

std::int64_t Training::validation_windows(std::int64_t most_windows) const {
  const std::int64_t targets = std::max<std::int64_t>(0, parts_.tokens.size() - split_ - 1);
  const std::int64_t windows = (targets + context_ - 1) / context_;
  return most_windows > 0 ? std::min(most_windows, windows) : windows;
}

std::optional<double> Training::validation_loss(std::int64_t most_windows, const std::stop_token& cancel) const {
  const std::int64_t windows = validation_windows(), taken = validation_windows(most_windows);
  double sum = 0, count = 0;
  for (std::int64_t i = 0; i < taken;) {
    if (cancel.stop_requested()) return std::nullopt;
    std::vector<std::int64_t> starts;
    const auto place = [&](std::int64_t k) { return split_ + k * windows / taken * context_; };
    // The last window may be shorter: it goes alone.
    std::int64_t length = std::min(context_, parts_.tokens.size() - 1 - place(i));
    while (i < taken && static_cast<std::int64_t>(starts.size()) < options_.batch &&
           std::min(context_, parts_.tokens.size() - 1 - place(i)) == length) {
      starts.push_back(place(i++));
    }
    const DeviceStep memory(device());
    const Examples e = examples(parts_.tokens, starts, length, options_.documents);
    const auto counted =
        static_cast<double>(static_cast<std::int64_t>(e.targets.size()) - std::ranges::count(e.targets, -1));
    Context ctx(device(), e.batch);
    sum += counted * value_of(model().loss(model().forward(ctx), targets_of(device(), e)));
    count += counted;
  }
  if (count == 0) return std::nullopt;
  return sum / count;
}

}  // namespace toy

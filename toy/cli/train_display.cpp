#include "toy/cli/train_display.h"

#include <algorithm>
#include <cmath>

#include "toy/cli/format.h"
#include "toy/cli/plot.h"
#include "toy/cli/run_facts.h"

namespace toy::cli {

namespace {

constexpr int plot_height = 6;

}  // namespace

double training_flops_per_token(Model& model, std::int64_t context) {
  double weights = 0;
  for (const Parameter& p : parameters(model)) {
    const bool table = p.name == "position_embd.weight" || (p.name == "token_embd.weight" && !model.tied());
    if (p.value.shape().rank() == 2 && !table) weights += static_cast<double>(p.value.shape().elements());
  }
  const Sizes& s = model.sizes();
  // Scores and weighted values: 2 products of half the context on average, three times with their gradients.
  return 6 * weights + 6.0 * static_cast<double>(s.L * s.H * s.d * context);
}

TrainDisplay::TrainDisplay(Console& console, Run& run, double peak, bool quiet_answer, bool live, std::stop_source stop)
    : console_(&console),
      steps_(run.training().options().steps),
      first_(run.training().steps()),
      print_every_(std::max<std::int64_t>(1, steps_ / 20)),
      flops_per_token_(training_flops_per_token(run.training().model(), run.training().context())),
      peak_(peak),
      quiet_answer_(quiet_answer),
      lines_(live),
      stop_(std::move(stop)) {}

void TrainDisplay::print(const std::string& line) {
  lines_.erase();
  if (quiet_answer_ || failure_) return;
  try {
    console_->print(line);
    console_->flush();
  } catch (...) {
    failure_ = std::current_exception();
    stop_.request_stop();
  }
}

void TrainDisplay::finish() {
  lines_.erase();
  if (done_ > 0 && printed_ < first_ + done_)
    print(fmt::format("step {:>6}  loss {:.4f}\n", first_ + done_, losses_.back()));
}

std::string TrainDisplay::progress(double loss) const {
  const double speed = seconds_ > 0 ? static_cast<double>(tokens_) / seconds_ : 0;
  const double left =
      done_ > 0 ? seconds_ / static_cast<double>(done_) * static_cast<double>(steps_ - first_ - done_) : 0;
  std::string text = fmt::format("step {}/{}  loss {:.3f}  {} tokens/s  {} left", first_ + done_, steps_, loss,
                                 short_count(static_cast<std::int64_t>(speed)), duration_text(left));
  if (peak_ > 0) text += fmt::format("  {:.0f} % of peak", 100 * speed * flops_per_token_ / peak_);
  return text;
}

void TrainDisplay::step(const StepResult& r, double seconds) {
  losses_.push_back(r.loss);
  tokens_ += r.tokens;
  seconds_ += seconds;
  ++done_;
  if (r.step == 1 || r.step % print_every_ == 0 || r.step == steps_) {
    printed_ = r.step;
    print(fmt::format("step {:>6}  loss {:.4f}\n", r.step, r.loss));
  }
  if (lines_.due()) {
    const int width = std::min(terminal_width() - 1, 72);
    lines_.show((losses_.size() > 1 ? plot(losses_, width, plot_height) : "") + progress(r.loss));
  }
}

RunObserver TrainDisplay::observer() {
  RunObserver o;
  o.step = [this](const StepResult& r, double seconds) { step(r, seconds); };
  o.evaluation = [this](std::int64_t at, double validation, double training) {
    const double loss = losses_.empty() ? training : losses_.back();  // as on the lines of steps
    print(fmt::format("step {:>6}  loss {:.4f}  validation loss {:.4f}  perplexity {:.2f}\n", at, loss, validation,
                      std::exp(validation)));
  };
  o.sample = [this](std::int64_t at, const std::string& prompt, const std::string& text) {
    print(fmt::format("step {:>6}  sample  {}{}\n", at, one_line(prompt), one_line(text)));
  };
  o.note = [this](const std::string& line) {
    lines_.erase();
    console_->note("note: {}", line);
  };
  o.saved = [this](std::int64_t at, const std::filesystem::path& weights) {
    lines_.erase();
    console_->note("step {}: saved {}", at, weights.string());
  };
  return o;
}

}  // namespace toy::cli

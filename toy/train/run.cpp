#include "toy/train/run.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <iterator>
#include <sys/utsname.h>
#include <unistd.h>

#include "toy/io/plural.h"
#include "toy/io/quote.h"
#include "toy/optim/adam.h"
#include "toy/optim/schedule.h"
#include "toy/train/flow.h"
#include "toy/train/git_state.h"
#include "toy/train/resume_log.h"
#include "toy/train/sample.h"
#include "toy/train/watch.h"

namespace toy {

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string now_utc() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

std::int64_t microseconds(double seconds) { return static_cast<std::int64_t>(seconds * 1e6); }

bool every(std::int64_t interval, std::int64_t step) { return interval > 0 && step % interval == 0; }

Json host_json() {
  utsname host{};
  if (::uname(&host) != 0) return Json::object();
  return {{"name", host.nodename}, {"os", host.sysname}, {"arch", host.machine}};
}

Json model_json(const Training& training, const std::string& arch, const std::string& name) {
  const Sizes& s = training.model().sizes();
  return {{"arch", arch},   {"name", name}, {"vocab", s.V},  {"d_model", s.D}, {"n_layers", s.L},
          {"n_heads", s.H}, {"n_kv", s.K},  {"d_head", s.d}, {"d_ff", s.F},    {"weight_type", "f32"}};
}

/// The rate of the step after `done` under a cosine.
double cosine_rate(const TrainingOptions& o, std::int64_t done) {
  auto inner = std::make_unique<AdamW>(std::vector<Parameter>{}, AdamOptions{.rate = o.rate});
  CosineWithWarmup schedule(std::move(inner), o.warmup, o.steps, o.least_rate.value_or(o.rate / 10));
  schedule.resume(done);
  return schedule.learning_rate();
}

/// What other steps do to a cosine that has begun: the rate jumps. Empty: nothing.
std::string rate_note(const TrainingOptions& before, const TrainingOptions& now, std::int64_t done) {
  if (!now.cosine || before.steps == now.steps || done == 0 || done >= now.steps) return "";
  if (before.warmup >= before.steps) return "";  // it could never have been
  if (cosine_rate(before, done) == cosine_rate(now, done)) return "";
  return fmt::format("the cosine now ends at step {}, not {}: the learning rate goes from {:.3g} to {:.3g}", now.steps,
                     before.steps, cosine_rate(before, done - 1), cosine_rate(now, done));
}

/// Prompts of the samples. Errors: one that was asked for leaves no room in the context.
std::vector<std::string> sample_prompts(const Training& t, const RunOptions& o, std::vector<std::string>& notes) {
  const auto fits = [&](const std::string& prompt) {
    return static_cast<std::int64_t>(t.tokenizer().encode(prompt).size()) < t.context();
  };
  for (const std::string& prompt : o.prompts) {
    if (!fits(prompt)) refuse("prompt: {} leaves no room in the context of {}", in_quotes(prompt), t.context());
  }
  if (!o.prompts.empty() || o.gen_every == 0) return o.prompts;
  constexpr const char* usual = "Once upon a time";
  if (fits(usual)) return {usual};
  const bool room = fits("");
  notes.push_back(fmt::format("'{}' leaves no room in the context of {}: {}", usual, t.context(),
                              room ? "samples begin with nothing" : "there are no samples"));
  return room ? std::vector<std::string>{""} : std::vector<std::string>{};
}

}  // namespace

Run::Run(Folder folder, RunConfig config, std::unique_ptr<EventWriter> log, FileCalls calls)
    : folder_(std::move(folder)), config_(std::move(config)), log_(std::move(log)), calls_(std::move(calls)) {}

fs::path Run::weights_path(std::int64_t step) const { return folder() / toy::weights_path(step); }

Run Run::begin(const Folder& folder, const RunConfig& config, const Corpus& corpus, Device& device,
               const FromScratch::Progress& progress, const FileCalls& calls) {
  config.options.check();
  config.recipe.options.check();
  (void)config.recipe.model.resolved();
  if (folder.has(config_file) || folder.has(log_file)) {
    refuse("{}: there is a run already; resume it, or choose another folder", shown(folder.path()));
  }
  auto log = std::make_unique<EventWriter>(folder / log_file, 0, calls);
  Run run(folder, config, std::move(log), calls);
  (void)folder.made("data");
  TrainedVocabulary words = config.recipe.make_vocabulary(corpus, progress);
  if (words.end == TrainingEnd::no_pairs_left) run.notes_.push_back(few_pieces(words));
  Training training =
      config.recipe.realize(device, corpus, std::move(words.vocabulary), folder / tokens_file, progress);
  run.training_ = std::make_unique<Training>(std::move(training));
  run.prompts_ = sample_prompts(*run.training_, config.options, run.notes_);
  run.progress_.tokens = hashed_file(folder, tokens_file);
  run.note_validation();
  run.write_flow();
  write_atomically(folder / config_file, config_text(config), calls);
  run.write_start();
  return run;
}

Run Run::resume(const Folder& folder, Device& device, const std::function<void(RunConfig&)>& change,
                const FileCalls& calls) {
  const Place log_place = folder / log_file;
  RunConfig config = read_config(folder);
  const TrainingOptions begun_with = config.recipe.options;
  const std::string begun_at = config.simd;
  if (change) change(config);
  config.options.check();
  config.recipe.options.check();
  RestoredTraining restored;
  KeptLog kept;
  std::vector<std::string> prompts, notes;
  // All is read and found good before anything of the run is changed, and while nobody else can change it.
  auto log = std::make_unique<EventWriter>(
      log_place,
      [&] {
        restored = restore_training(folder, tokens_file, device, config.recipe.options);
        prompts = sample_prompts(*restored.training, config.options, notes);
        kept = kept_log(log_place, restored.checkpoint);
        const std::uint64_t found = InputFile(log_place, Empty::allowed).size();
        if (!kept.fits && found > kept.bytes) kept.damage += "; as it was: " + set_log_aside(folder, log_file, calls);
        return kept.bytes;
      },
      calls);
  if (restored.training->done()) config.simd = begun_at;  // no step will be made at another level
  Run run(folder, config, std::move(log), calls);
  run.progress_ = restored.checkpoint;
  run.training_ = std::move(restored.training);
  run.prompts_ = std::move(prompts);
  run.earlier_losses_ = std::move(kept.losses);
  if (!kept.fits) run.mend_log(kept.bytes == 0, kept.damage);
  tidy_checkpoints(folder, run.progress_.step, kept.reached);
  for (const std::string& why : restored.skipped) {
    run.notes_.push_back("a damaged checkpoint was set aside: " + why);
  }
  if (!kept.fits) run.notes_.push_back(fmt::format("{}: {}", shown(log_place.path()), kept.damage));
  if (kept.skipped_lines > 0) {
    run.notes_.push_back(fmt::format("{}: {} {} of it cannot be read", shown(log_place.path()), kept.skipped_lines,
                                     plural(kept.skipped_lines, "line")));
  }
  std::ranges::move(notes, std::back_inserter(run.notes_));
  const std::string rate = rate_note(begun_with, config.recipe.options, run.progress_.step);
  if (!rate.empty()) run.notes_.push_back(rate);
  if (run.progress_.tokens.path.empty()) run.progress_.tokens = hashed_file(folder, tokens_file);
  run.note_validation();
  if (!folder.has(flow_file)) run.write_flow();
  write_atomically(folder / config_file, config_text(config), calls);
  return run;
}

void Run::write_flow() {
  write_atomically(folder_ / flow_file, flow_text(training_->metadata(), training_->context()), calls_);
}

void Run::note_validation() {
  const bool wanted = config_.options.eval_every > 0 && config_.recipe.options.validation_share > 0;
  if (!wanted || training_->validation_windows() > 0) return;
  const std::int64_t tokens = training_->tokens().size() - training_->split();
  notes_.push_back(
      fmt::format("{} {} to validate: it takes at least 2; there is no validation", tokens, plural(tokens, "token")));
}

/// Says in the log what it lacks, and in the checkpoint how long the log is now.
void Run::mend_log(bool begin, const std::string& damage) {
  if (begin) write_start();
  log_->write({{"kind", "note"}, {"step", progress_.step}, {"text", damage}});
  log_->sync();
  progress_.log_bytes = log_->length();
  save_sidecar(folder_, progress_, calls_);
}

std::string run_name(const fs::path& folder) {
  std::error_code nowhere;  // the current folder may be gone
  const fs::path whole = fs::absolute(folder / log_file, nowhere);
  return (nowhere ? folder / log_file : whole).lexically_normal().parent_path().filename().string();
}

void Run::write_start() {
  Json event{{"kind", "run_start"}, {"schema", "toy/v1"},  {"started_at", now_utc()},
             {"run_id", id()},      {"host", host_json()}, {"backend", {{"kind", training_->device().name()}}}};
  if (const auto git = git_state(".")) event["git"] = {{"sha", git->sha}, {"branch", git->branch}};
  event["model"] = model_json(*training_, config_.recipe.model.arch, config_.recipe.name);
  event["config"] = Json::parse(config_text(config_));
  log_->write(std::move(event));
}

void Run::write_end(const RunSummary& summary, const char* reason, int code, const std::string& error) {
  Json event{{"kind", "run_end"},
             {"ended_at", now_utc()},
             {"reason", reason},
             {"final_step", training_->steps()},
             {"final_loss", summary.final_loss ? Json(*summary.final_loss) : Json(nullptr)},
             {"exit_code", code}};
  if (!error.empty()) event["error"] = error;
  log_->write(std::move(event));
  log_->sync();
}

RunSummary Run::train(const RunObserver& observer, const std::stop_token& cancel) {
  RunSummary& summary = summary_ = {};
  seconds_ = 0;
  tokens_ = 0;
  summary.losses = earlier_losses_;
  if (!summary.losses.empty()) summary.final_loss = summary.losses.back();
  try {
    train_steps(summary, observer, cancel);
  } catch (const std::exception& error) {
    summary.end = RunSummary::End::errored;
    summary.reason = error.what();
    summary.steps = training_->steps();
    if (progress_.step > 0) summary.weights = weights_path(progress_.step);
    try {
      write_end(summary, "errored", 1, error.what());
    } catch (const std::exception&) {
      // The first error is the one to tell.
    }
    throw;
  }
  const bool interrupted = summary.end == RunSummary::End::interrupted;
  const bool diverged = summary.end == RunSummary::End::diverged;
  write_end(summary,
            interrupted ? "interrupted"
            : diverged  ? "aborted"
                        : "completed",
            diverged ? 1 : 0, summary.reason);
  summary.steps = training_->steps();
  summary.weights = weights_path(training_->steps());
  return summary;
}

void Run::train_steps(RunSummary& summary, const RunObserver& observer, const std::stop_token& cancel) {
  if (training_->steps() == 0 && config_.options.gen_every > 0) write_samples(observer);
  while (!training_->done() && summary.end == RunSummary::End::completed) {
    if (cancel.stop_requested()) {
      summary.end = RunSummary::End::interrupted;
      break;
    }
    one_step(summary, observer);
    const std::int64_t step = training_->steps();
    latest_validation_.reset();
    const bool save_now = every(config_.options.save_every, step);
    if (every(config_.options.eval_every, step) && !evaluate(summary, observer)) {
      summary.end = RunSummary::End::diverged;
    }
    if (every(config_.options.gen_every, step)) write_samples(observer);
    if (save_now && !training_->done() && summary.end == RunSummary::End::completed) {
      if (!latest_validation_) latest_validation_ = training_->validation_loss(config_.options.eval_windows);
      save(latest_validation_, observer);
    }
  }
  const bool at_checkpoint = progress_.step == training_->steps() && progress_.step > 0;
  const bool interrupted = summary.end == RunSummary::End::interrupted;
  if (!interrupted && !latest_validation_) {
    latest_validation_ = training_->validation_loss(config_.options.eval_windows);
  }
  if (!at_checkpoint) save(interrupted ? std::nullopt : latest_validation_, observer);
  if (interrupted) return;
  summary.validation_loss = training_->validation_loss(0, cancel);
  if (!summary.validation_loss && cancel.stop_requested() && summary.end == RunSummary::End::completed) {
    summary.end = RunSummary::End::interrupted;
  }
  if (summary.validation_loss) {
    log_->write({{"kind", "eval"},
                 {"step", training_->steps()},
                 {"phase", "eval"},
                 {"name", "validation_whole"},
                 {"loss", *summary.validation_loss},
                 {"ppl", std::exp(*summary.validation_loss)},
                 {"samples", training_->validation_windows()}});
  }
}

void Run::one_step(RunSummary& summary, const RunObserver& observer) {
  const std::int64_t step = training_->steps() + 1;
  const bool watched = !config_.options.events.empty() && every(config_.options.events_every, step);
  const bool timing = watched && config_.options.events.contains("op_timing");
  if (watched) watch_step(step);
  OpSeconds op_seconds;
  if (timing) training_->device().time_ops(&op_seconds);
  const auto start = Clock::now();
  const StepResult r = step_or_save(observer);
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  training_->watch_gradients({});
  training_->device().time_ops(nullptr);
  if (timing) log_op_timing(*log_, step, op_seconds);
  seconds_ += took;
  tokens_ += r.tokens;
  if (seconds_ > 0) summary.tokens_per_second = static_cast<double>(tokens_) / seconds_;
  summary.losses.push_back(r.loss);
  summary.final_loss = r.loss;
  // Steps weigh by the share of their tokens that counted: 1 each, unless documents end.
  const double weight = static_cast<double>(r.targets) / static_cast<double>(r.tokens);
  progress_.loss_sum += r.loss * weight;
  progress_.loss_weight += weight;
  log_->write({{"kind", "step"},
               {"step", r.step},
               {"phase", "train"},
               {"loss", r.loss},
               {"lr", r.rate},
               {"tokens", r.tokens},
               {"wall_us", microseconds(took)},
               {"compute_us", microseconds(took)},
               {"grad_norm", r.gradient_norm},
               {"ppl", std::exp(r.loss)}});
  if (watched && config_.options.events.contains("drift")) log_drift(*log_, *training_);
  if (observer.step) observer.step(r, took);
}

/// One update; where it fails, what the steps before it made is saved beside the checkpoints that are there: it may be
/// worth less than they are.
StepResult Run::step_or_save(const RunObserver& observer) {
  try {
    return training_->step();
  } catch (const Error&) {
    const auto finite = [](const Parameter& p) {
      return std::ranges::all_of(p.value.values<float>(), [](float x) { return std::isfinite(x); });
    };
    const bool good = std::ranges::all_of(parameters(training_->model()), finite);
    try {
      if (good && training_->steps() > progress_.step) save(std::nullopt, observer, false);
    } catch (const std::exception&) {
      // The first error is the one to tell.
    }
    throw;
  }
}

/// Requested statistics of the next step: gradients and named activations.
void Run::watch_step(std::int64_t step) {
  if (config_.options.events.contains("grad")) {
    training_->watch_gradients([this, step](std::span<const Parameter> parameters, std::span<const Tensor> gradients) {
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (gradients[i]) log_gradient(*log_, step, parameters[i].name, gradients[i]);
      }
    });
  }
  if (config_.options.events.contains("tap")) {
    training_->tap_next([this, step](std::string_view name, const Tensor& value) {
      log_tap(*log_, step, name, value, training_->model().sizes());
    });
  }
}

double divergence_gap(double validation, double training) {
  if (!std::isfinite(validation)) return INFINITY;
  return validation == training ? 0 : 100 * (validation - training) / training;
}

bool Run::evaluate(RunSummary& summary, const RunObserver& observer) {
  latest_validation_ = training_->validation_loss(config_.options.eval_windows);
  if (!latest_validation_) return true;
  const double validation = *latest_validation_;
  const double training = progress_.loss_weight > 0 ? progress_.loss_sum / progress_.loss_weight : 0;
  progress_.loss_sum = 0;
  progress_.loss_weight = 0;
  const std::int64_t step = training_->steps();
  log_->write({{"kind", "eval"},
               {"step", step},
               {"phase", "eval"},
               {"name", "validation"},
               {"loss", validation},
               {"ppl", std::exp(validation)},
               {"samples", training_->validation_windows(config_.options.eval_windows)},
               {"extra", {{"training_loss", training}}}});
  if (observer.evaluation) observer.evaluation(step, validation, training);
  const double gap = divergence_gap(validation, training);
  const auto& stop = config_.options.divergence_stop;
  const bool stops = stop && gap >= *stop;
  if (gap >= config_.options.divergence_warning || stops) {
    const std::string text =
        std::isfinite(validation)
            ? fmt::format("step {}: the validation loss {:.4f} is {:.1f} % above the training loss {:.4f}", step,
                          validation, gap, training)
            : fmt::format("step {}: the validation loss is not finite", step);
    log_->write({{"kind", "note"}, {"step", step}, {"text", text}});
    if (observer.note) observer.note(text);
    if (stops) summary.reason = fmt::format("{} (the limit is {} %)", text, *stop);
  }
  return !stops;
}

void Run::write_samples(const RunObserver& observer) {
  for (std::size_t i = 0; i < prompts_.size(); ++i) {
    const SamplingOptions sampling{.temperature = config_.options.temperature,
                                   .seed = training_->options().seed + static_cast<std::uint64_t>(i)};
    const std::string text = sample_text(training_->model(), training_->device(), training_->tokenizer(), prompts_[i],
                                         config_.options.sample_tokens, sampling);
    log_->write({{"kind", "sample"},
                 {"step", training_->steps()},
                 {"phase", "train"},
                 {"prompt", prompts_[i]},
                 {"text", text}});
    if (observer.sample) observer.sample(training_->steps(), prompts_[i], text);
  }
}

void Run::save(std::optional<double> validation_loss, const RunObserver& observer, bool prune) {
  const std::int64_t step = training_->steps();
  if (validation_loss && (!progress_.best_loss || *validation_loss < *progress_.best_loss)) {
    progress_.best_loss = validation_loss;
    progress_.best_step = step;
  }
  progress_.step = step;
  progress_.validation_loss = validation_loss;
  log_->sync();
  progress_.log_bytes = log_->length();
  save_checkpoint(folder_, *training_, progress_, calls_);
  if (prune) prune_checkpoints(folder_, config_.options.keep, progress_.best_step);
  if (observer.saved) observer.saved(step, weights_path(step));
}

}  // namespace toy

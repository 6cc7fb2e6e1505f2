// toy train from-scratch: a new model from a corpus.
#include <chrono>
#include <stop_token>

#include "toy/cli/dry_run.h"
#include "toy/cli/fit_time.h"
#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/model_options.h"
#include "toy/cli/resumed.h"
#include "toy/cli/run_facts.h"
#include "toy/cli/run_folder.h"
#include "toy/cli/signals.h"
#include "toy/cli/train_display.h"
#include "toy/cli/train_settings.h"
#include "toy/io/quote.h"
#include "toy/tensor/device/cpu/machine.h"
#include "toy/train/run_log.h"

namespace toy::cli {

namespace {

std::string command_line(const Arguments& a) {
  std::string text = "toy train from-scratch";
  for (const std::string& word : a.words()) text += " " + shell_word(word);
  return text;
}

FromScratch::Progress preparation(LiveLines& lines, const std::stop_token& stop) {
  return [&lines, stop](std::string_view what, std::int64_t done, std::int64_t all) {
    const auto amount = [&](std::int64_t n) { return what == "corpus" ? bytes_text(n) : std::to_string(n); };
    if (lines.due()) lines.show(fmt::format("{}: {} of {}", what, amount(done), amount(all)));
    return !stop.stop_requested();
  };
}

Run begin(const Arguments& a, CpuDevice& device, Console& console, const std::stop_token& stop) {
  RunConfig config = run_config(a);
  config.command = command_line(a);
  config.threads = static_cast<int>(a.integer("--threads").value_or(0));
  config.simd = device.simd_level();
  const Corpus corpus = corpus_of(config, console);
  if (const auto seconds = a.number("--fit-time")) fit_steps(*seconds, a, corpus, config, console, stop);
  config.recipe.name = fmt::format("{} trained on {}", config.recipe.model.arch, corpus.description());
  NewRunFolder folder(*a.text("--out"), config.recipe.model.arch, a.text("--name"));
  LiveLines lines(!a.has("--quiet"));
  Run run = Run::begin(folder.path(), config, corpus, device, preparation(lines, stop));
  folder.keep();
  return run;
}

void tell(Run& run, const CpuDevice& device, Console& console) {
  for (const std::string& note : run.notes()) console.note("note: {}", note);
  Training& t = run.training();
  if (t.options().bf16 && !device.fast_bf16()) {
    console.note("note: this processor has no instruction for products of bfloats; --dtype f32 is faster");
  }
  std::int64_t count = 0;
  for (const Parameter& p : parameters(t.model())) count += p.value.shape().elements();
  console.note("{}: {} parameters, vocabulary {}, {} tokens to train on, {} to validate", run.folder().string(),
               long_count(count), t.model().sizes().V, long_count(t.split()),
               long_count(t.tokens().size() - t.split()));
}

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

std::string_view end_name(RunSummary::End end) {
  if (end == RunSummary::End::completed) return "completed";
  if (end == RunSummary::End::interrupted) return "interrupted";
  return end == RunSummary::End::diverged ? "aborted" : "errored";
}

void tell_interruption(const Run& run, const RunSummary& s, const Console& console) {
  console.note("interrupted after step {}; go on with: {} train from-scratch --resume {}", s.steps, console.program(),
               shell_word(run.folder().string()));
}

Json json_of(const Run& run, const RunSummary& s) {
  Json answer{{"run", run.folder().string()},
              {"steps", s.steps},
              {"losses", s.losses},
              {"final_loss", number_or_null(s.final_loss)},
              {"val_loss", number_or_null(s.validation_loss)},
              {"tokens_per_second", s.tokens_per_second},
              {"weights", s.weights.string()},
              {"end", end_name(s.end)}};
  if (s.end == RunSummary::End::errored) answer["error"] = s.reason;
  return answer;
}

void answer(const Run& run, const RunSummary& s, bool json, Console& console) {
  if (json) {
    console.print(line_of(json_of(run, s)));
    console.flush();
    if (s.end == RunSummary::End::interrupted) tell_interruption(run, s, console);
    return;
  }
  const bool interrupted = s.end == RunSummary::End::interrupted;
  if (s.validation_loss) console.print("validation loss {:.4f} over the whole validation part\n", *s.validation_loss);
  if (interrupted) console.print("interrupted after step {}\n", s.steps);
  console.flush();
  if (interrupted) tell_interruption(run, s, console);
  const std::string speed = s.tokens_per_second > 0 ? fmt::format("{:.0f} tokens/s; ", s.tokens_per_second) : "";
  console.note("{}the model: {}", speed, s.weights.string());
}

/// Interrupted while the corpus was read.
void answer_nothing(const Arguments& a, Console& console) {
  if (a.has("--json")) {
    console.print(line_of({{"run", ""},
                           {"steps", 0},
                           {"losses", Json::array()},
                           {"final_loss", nullptr},
                           {"val_loss", nullptr},
                           {"tokens_per_second", 0.0},
                           {"weights", ""},
                           {"end", "interrupted"}}));
  } else {
    console.print("interrupted before the first step\n");
  }
  console.flush();
  console.note("interrupted before the first step; nothing was written");
}

/// A failure is told in JSON too.
RunSummary train(Run& run, TrainDisplay& display, const RunObserver& observer, const std::stop_token& stop, bool json,
                 Console& console) {
  try {
    return run.train(observer, stop);
  } catch (const std::exception&) {
    display.finish();
    if (json) {
      console.print(line_of(json_of(run, run.summary())));
      console.flush();
    }
    throw;
  }
}

void run(const Arguments& a, Console& console) {
  a.at_most_one({"--resume", "--name"});
  a.at_most_one({"--resume", "--dry-run", "--fit-time"});
  a.at_most_one({"--steps", "--fit-time"});
  if (a.has("--dry-run")) return dry_run(a, console);
  if (!a.has("--resume") || a.has("--out")) check_out(*a.text("--out"));
  if (const auto name = a.text("--name")) check_run_name(*a.text("--out"), *name);
  const auto resumed = a.has("--resume") ? std::optional(resumed_of(a)) : std::nullopt;
  if (!resumed) (void)run_config(a);  // a wrong question is told before anything is made
  const Interrupt interrupt;
  CpuDevice device(resumed ? resumed_cpu_options(a, *resumed) : cpu_options(a));
  std::optional<Run> made;
  try {
    made.emplace(resumed ? resume_run(a, *resumed, device, console) : begin(a, device, console, interrupt.token()));
  } catch (const Error&) {
    if (resumed || !interrupt.token().stop_requested()) throw;
    return answer_nothing(a, console);
  }
  Run& training = *made;
  tell(training, device, console);
  const bool json = a.has("--json"), live = LiveLines(!a.has("--quiet")).on();
  const double peak = live ? cpu::f32_peak(device.threads(), device.simd_level()) : 0;
  std::stop_source stop;  // by a signal, because the time is up, or because nobody reads stdout
  TrainDisplay display(console, training, peak, json, live, stop);
  const std::stop_callback by_signal(interrupt.token(), [&] {
    if (!live) console.note("stopping after this step; Ctrl-C again ends at once");
    stop.request_stop();
  });
  RunObserver observer = display.observer();
  if (const auto most = a.number("--max-time")) {
    observer.step = [&stop, most, show = observer.step, start = std::chrono::steady_clock::now()](const StepResult& r,
                                                                                                  double seconds) {
      show(r, seconds);
      const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (spent >= *most) stop.request_stop();
    };
  }
  const RunSummary summary = train(training, display, observer, stop.get_token(), json, console);
  display.finish();
  if (display.failure()) {
    if (summary.end == RunSummary::End::interrupted) tell_interruption(training, summary, console);
    std::rethrow_exception(display.failure());
  }
  answer(training, summary, json, console);
  console.flush();
  if (summary.end == RunSummary::End::diverged) fail("{}; stopped, saved {}", summary.reason, summary.weights.string());
}

std::vector<Option> own_options() {
  return {
      {.name = "--out",
       .metavar = "DIR",
       .type = Type::path,
       .help = "folder of the runs, in which this one gets its own",
       .fallback = "runs"},
      {.name = "--name",
       .metavar = "NAME",
       .type = Type::text,
       .help = "what the run is called, and its folder",
       .fallback_words = "ARCH-DATE-NUMBER"},
      {.name = "--resume",
       .metavar = "RUN",
       .type = Type::path,
       .help = "go on with a run: its id or a part of it that no other has, last, its folder, or a file of a "
               "checkpoint; an "
               "older one begins a new run"},
      {.name = "--max-time",
       .metavar = "SECONDS",
       .type = Type::number,
       .help = "save and end, as Ctrl-C does, when training has taken so long",
       .min = 0,
       .max = 1e9},
      {.name = "--fit-time",
       .metavar = "SECONDS",
       .type = Type::number,
       .help = "choose --steps so that the whole training takes about so long here, by a speed that is measured first; "
               "with --cosine a tenth of them warms up unless --warmup-steps is given",
       .min = 0.1,
       .max = 1e9},
      {.name = "--dry-run", .help = "print how much memory and time it takes; write nothing"}};
}

std::vector<Field> answer_fields() {
  return {{"run", "string", "the run's folder"},
          {"steps", "integer", "steps done, those before a resumption included"},
          {"losses", "array", "training loss of each"},
          {"losses[]", "number", "", false},
          {"final_loss", "number or null", "the last of them"},
          {"val_loss", "number or null", "mean over the whole validation part; null if interrupted or without one"},
          {"tokens_per_second", "number", "of the steps of this call"},
          {"weights", "string", "the model's GGUF file"},
          {"end", "string", "completed, interrupted, aborted (by --div-crit) or errored"},
          {"error", "string", "what failed", false}};
}

}  // namespace

Verb train_from_scratch_verb() {
  return {
      .name = "train from-scratch",
      .summary = "train a new model on text",
      .details =
          "Makes the folder RUN (runs/ARCH-DATE-NUMBER unless --name or --out say otherwise) with the log of the run, "
          "its configuration and its checkpoints; "
          "weights/step-N.gguf is a model for infer, eval, describe and other programs. The first Ctrl-C saves "
          "and ends, the second ends at once; --resume goes on as if nothing had happened, with the threads and the "
          "SIMD level of before unless others are given.",
      .positionals = {},
      .options = join({training_options(), own_options(), device_options()}),
      .json = {{"", answer_fields()}, {"--dry-run", dry_run_fields()}},
      .examples = {{{"toy train from-scratch --steps 300 --lr 3e-3", "a small model on the built-in stories"},
                    {"toy train from-scratch --corpus 'books/*.txt' --fit-time 600 --cosine --arch gpt2",
                     "on your own texts, a whole schedule in ten minutes"}}},
      .run = run};
}

}  // namespace toy::cli

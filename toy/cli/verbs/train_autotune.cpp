// toy train autotune: which batch size and how many threads train fastest here.

#include <algorithm>
#include <chrono>

#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/live.h"
#include "toy/cli/model_options.h"
#include "toy/cli/signals.h"
#include "toy/cli/train_settings.h"
#include "toy/io/plural.h"

namespace toy::cli {

namespace {

struct Trial {
  std::int32_t batch = 0, threads = 0;
  double tokens_per_second = 0;
  std::optional<Error> error{};  // why it could not be tried
};

/// The median of the steps after the first, which also takes its memory from the system.
double speed(Training& training, std::int64_t steps, const std::stop_token& stop) {
  std::vector<double> seconds;
  std::int64_t tokens = 0;
  for (std::int64_t i = 0; i <= steps && !stop.stop_requested(); ++i) {
    const auto start = std::chrono::steady_clock::now();
    tokens = training.step().tokens;
    if (i > 0) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  if (seconds.empty()) return 0;
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return static_cast<double>(tokens) / *middle;
}

/// Nothing if it was interrupted.
std::optional<Trial> measure(FromScratch recipe, const Corpus& corpus, const Vocabulary& words, CpuOptions cpu,
                             std::int32_t batch, std::int32_t threads, std::int64_t steps,
                             const std::stop_token& stop) {
  Trial trial;
  trial.batch = batch;
  trial.threads = threads;
  recipe.options.batch = batch;
  recipe.options.steps = steps + 1;
  cpu.threads = threads;
  try {
    CpuDevice device(cpu);
    Training training = recipe.realize(device, corpus, words);
    trial.tokens_per_second = speed(training, steps, stop);
  } catch (const Error& error) {
    trial.error = error;
  }
  if (stop.stop_requested()) return std::nullopt;
  return trial;
}

/// The words of this call that describe the model, with the best batch size and threads.
std::string best_command(const Arguments& a, const Trial& best, const Console& console) {
  std::string text = console.program() + " train from-scratch";
  for (const Option& option : join({recipe_options(), device_options()})) {
    if (option.name == "--threads") continue;
    if (option.type == Type::flag) {
      if (a.has(option.name)) text += " " + option.name;
      continue;
    }
    if (!a.has(option.name)) continue;
    const auto values = option.repeatable ? a.all(option.name) : std::vector<std::string>{*a.text(option.name)};
    for (const std::string& value : values) text += " " + option.name + " " + shell_word(value);
  }
  return fmt::format("{} --batch-size {} --threads {}", text, best.batch, best.threads);
}

std::vector<std::int32_t> usual_threads() {
  std::vector<std::int32_t> threads;
  for (std::int32_t n = 1; n < physical_cores(); n *= 2) threads.push_back(n);
  threads.push_back(static_cast<std::int32_t>(physical_cores()));
  return threads;
}

void print_trials(const std::vector<Trial>& trials, const Trial& best, Console& console) {
  std::vector<std::vector<std::string>> rows{{"batch size", "threads", "tokens/s", "of the best"}};
  for (const Trial& t : trials) {
    rows.push_back(
        {std::to_string(t.batch), std::to_string(t.threads), t.error ? "-" : fmt::format("{:.0f}", t.tokens_per_second),
         t.error ? t.error->what() : fmt::format("{:.0f} %", 100 * t.tokens_per_second / best.tokens_per_second)});
  }
  console.print(table(rows, "rrrl"));
}

/// All trials, or those before an interruption.
std::vector<Trial> measure_all(const Arguments& a, Console& console, const std::stop_token& stop) {
  const RunConfig config = recipe_config(a);
  const std::vector<std::int32_t> usual_batches{4, 8, 16, 32};
  const auto batches = a.integers("--batch-sizes").value_or(usual_batches);
  const auto threads = a.integers("--threads").value_or(usual_threads());
  const CpuOptions cpu = cpu_options(a);
  LiveLines lines(!a.has("--quiet"));
  std::vector<Trial> trials;
  const Corpus corpus = corpus_of(config, console);
  TrainedVocabulary made;
  try {
    made = config.recipe.make_vocabulary(corpus, [&](auto&&...) { return !stop.stop_requested(); });
  } catch (const Error&) {
    if (stop.stop_requested()) return trials;
    throw;
  }
  if (made.end == TrainingEnd::no_pairs_left) console.note("note: {}", few_pieces(made));
  for (const std::int32_t batch : batches) {
    for (const std::int32_t n : threads) {
      if (stop.stop_requested()) break;
      lines.show(fmt::format("batch size {}, {} {} ({} of {})", batch, n, plural(n, "thread"), trials.size() + 1,
                             batches.size() * threads.size()));
      auto trial = measure(config.recipe, corpus, made.vocabulary, cpu, batch, n, *a.integer("--steps"), stop);
      if (trial) trials.push_back(std::move(*trial));
    }
  }
  lines.erase();
  return trials;
}

Json answer(const std::vector<Trial>& trials, const Trial* best, const std::string& command, bool interrupted) {
  Json list = Json::array();
  for (const Trial& t : trials) {
    Json trial{{"batch_size", t.batch}, {"threads", t.threads}, {"tokens_per_second", t.tokens_per_second}};
    if (t.error) trial["error"] = t.error->what();
    list.push_back(std::move(trial));
  }
  return {{"trials", std::move(list)},
          {"best", best != nullptr ? Json{{"batch_size", best->batch}, {"threads", best->threads}} : Json(nullptr)},
          {"command", command},
          {"interrupted", interrupted}};
}

void run(const Arguments& a, Console& console) {
  const Interrupt interrupt;
  const std::vector<Trial> trials = measure_all(a, console, interrupt.token());
  const bool interrupted = interrupt.token().stop_requested();
  const auto fastest = std::ranges::max_element(trials, {}, &Trial::tokens_per_second);
  const Trial* const best = fastest != trials.end() && fastest->tokens_per_second > 0 ? &*fastest : nullptr;
  if (best == nullptr && !interrupted) {
    const std::optional<Error> why = trials.empty() ? std::nullopt : fastest->error;
    throw Error(why ? why->fault() : Fault::failed,
                fmt::format("nothing could be measured{}{}", why ? ": " : "", why ? why->what() : ""));
  }
  const std::string command = best != nullptr ? best_command(a, *best, console) : "";
  if (a.has("--json")) {
    console.print(line_of(answer(trials, best, command, interrupted)));
  } else if (best != nullptr) {
    print_trials(trials, *best, console);
    console.print("{}\n", command);
  }
  console.flush();
  if (interrupted) console.note("interrupted after {} {}", trials.size(), plural(trials.size(), "trial"));
}

std::vector<Option> own_options() {
  return {{.name = "--batch-sizes",
           .metavar = "4,8",
           .type = Type::integers,
           .help = "batch sizes to try",
           .fallback_words = "4,8,16,32",
           .min = 1,
           .max = 1 << 20},
          {.name = "--threads",
           .metavar = "1,2",
           .type = Type::integers,
           .help = "numbers of threads to try",
           .fallback_words = "powers of two up to the physical cores",
           .min = 1,
           .max = 1024},
          {.name = "--steps",
           .metavar = "N",
           .type = Type::integer,
           .help = "steps of each that are timed",
           .fallback = "5",
           .min = 1,
           .max = 100000}};
}

}  // namespace

Verb train_autotune_verb() {
  std::vector<Option> device = device_options();
  std::erase_if(device, [](const Option& o) { return o.name == "--threads"; });
  return {.name = "train autotune",
          .summary = "find the batch size and threads that train fastest",
          .details =
              "Trains a few steps in memory with each, and prints the command line of the fastest. The loss "
              "falls fastest per token with a smaller batch: the table shows what a larger one gains.",
          .positionals = {},
          .options = join({own_options(), recipe_options(), std::move(device)}),
          .json = {{"",
                    {{"trials", "array", "in the order they ran"},
                     {"trials[]", "object", ""},
                     {"trials[].batch_size", "integer", ""},
                     {"trials[].threads", "integer", ""},
                     {"trials[].tokens_per_second", "number", "median of the steps; 0 if it could not be tried"},
                     {"trials[].error", "string", "why it could not be tried", false},
                     {"best", "object or null", "the fastest; null: interrupted before any"},
                     {"best.batch_size", "integer", "", false},
                     {"best.threads", "integer", "", false},
                     {"command", "string", "the command line that trains with it"},
                     {"interrupted", "boolean", "true: some were not tried"}}}},
          .examples = {{{"toy train autotune", "the default model"},
                        {"toy train autotune --d-model 128 --heads 8 --batch-sizes 8,16 --threads 1,2 --steps 10",
                         "another shape"}}},
          .run = run};
}

}  // namespace toy::cli

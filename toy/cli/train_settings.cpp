#include "toy/cli/train_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "toy/cli/console.h"
#include "toy/io/quote.h"

namespace toy::cli {

namespace {

/// An option and where its value goes.
struct Setting {
  Option option;
  std::function<void(const Arguments&, RunConfig&)> set;
  bool changes_on_resume = false;
};

constexpr double large = 1 << 30;

Option whole(std::string name, std::string help, std::string fallback, double min = 1, double max = large) {
  return {.name = std::move(name),
          .metavar = "N",
          .type = Type::integer,
          .help = std::move(help),
          .fallback = std::move(fallback),
          .min = min,
          .max = max};
}

Option real(std::string name, std::string help, std::string fallback, double min = 0, double max = large) {
  return {.name = std::move(name),
          .metavar = "X",
          .type = Type::number,
          .help = std::move(help),
          .fallback = std::move(fallback),
          .min = min,
          .max = max};
}

using Set = std::function<void(const Arguments&, RunConfig&)>;

std::vector<Setting> model_settings() {
  return {
      {{.name = "--arch",
        .metavar = "NAME",
        .type = Type::choice,
        .help = "the architecture",
        .fallback = "llama",
        .choices = {"llama", "gpt2"}},
       [](auto& a, auto& c) { c.recipe.model.arch = *a.text("--arch"); }},
      {whole("--d-model", "model width", "64", 1, 1 << 16),
       [](auto& a, auto& c) { c.recipe.model.d_model = *a.integer("--d-model"); }},
      {whole("--layers", "layers", "4", 1, 1024),
       [](auto& a, auto& c) { c.recipe.model.layers = *a.integer("--layers"); }},
      {whole("--heads", "query heads", "4", 1, 1 << 16),
       [](auto& a, auto& c) { c.recipe.model.heads = *a.integer("--heads"); }},
      {{.name = "--kv-heads",
        .metavar = "N",
        .type = Type::integer,
        .help = "key and value heads",
        .fallback_words = "as many as query heads",
        .min = 1,
        .max = 1 << 16},
       [](auto& a, auto& c) { c.recipe.model.kv_heads = a.integer("--kv-heads").value_or(0); }},
      {{.name = "--d-ff",
        .metavar = "N",
        .type = Type::integer,
        .help = "feed-forward width",
        .fallback_words = "8/3 of the model width, up to a multiple of 32 (llama), 4 times (gpt2)",
        .min = 1,
        .max = 1 << 20},
       [](auto& a, auto& c) { c.recipe.model.d_ff = a.integer("--d-ff").value_or(0); }},
      {whole("--context", "tokens of a training sequence", "128", 1, 1 << 20),
       [](auto& a, auto& c) { c.recipe.model.context = *a.integer("--context"); }},
      {{.name = "--vocab",
        .metavar = "KIND",
        .type = Type::text,
        .help = "bpe (learned from the corpus), char, byte, or a GGUF file whose vocabulary is taken",
        .fallback = "bpe"},
       [](auto& a, auto& c) { c.recipe.vocabulary.kind = *a.text("--vocab"); }},
      {whole("--vocab-size", "merges that bpe learns", "500", 0, 1 << 20),
       [](auto& a, auto& c) { c.recipe.vocabulary.merges = *a.integer("--vocab-size"); }},
      {{.name = "--corpus",
        .metavar = "GLOB",
        .type = Type::path,
        .help = "text files to train on: a path, or a pattern like 'books/*.txt', in which ** stands for any folders",
        .fallback_words = "stories by the built-in grammar",
        .repeatable = true},
       [](auto& a, auto& c) { c.corpus = a.all("--corpus"); }},
      {{.name = "--separator",
        .metavar = "TEXT",
        .type = Type::text,
        .help = "text between the documents of a file, as it is: \\n is a backslash and an n",
        .fallback_words = "a file is one document"},
       [](auto& a, auto& c) { c.separator = a.text("--separator").value_or(""); }},
      {whole("--cuts", "random places at which each document is broken before it is encoded, as prompts break texts",
             "0", 0, 1000),
       [](auto& a, auto& c) { c.recipe.vocabulary.cuts = *a.integer("--cuts"); }},
      {{.name = "--documents", .help = "attention stays inside a document"},
       [](auto& a, auto& c) { c.recipe.options.documents = a.has("--documents"); }},
      {{.name = "--seed",
        .metavar = "N",
        .type = Type::integer,
        .help = "of the first parameters, the order of the corpus and the samples",
        .fallback = "0",
        .min = 0},
       [](auto& a, auto& c) { c.recipe.options.seed = static_cast<std::uint64_t>(*a.integer("--seed")); }},
  };
}

/// How the work of a step is done.
std::vector<Setting> step_settings() {
  return {
      {{.name = "--dtype",
        .metavar = "TYPE",
        .type = Type::choice,
        .help = "of the products; parameters, norms, softmax and the loss stay f32; bf16 is faster where the processor "
                "has an instruction for it",
        .fallback = "f32",
        .choices = {"f32", "bf16"}},
       [](auto& a, auto& c) { c.recipe.options.bf16 = *a.text("--dtype") == "bf16"; }},
      {{.name = "--recompute",
        .help = "keep only what goes into each layer and compute the rest again for the gradients: less memory, a "
                "third more time, the same numbers"},
       [](auto& a, auto& c) { c.recipe.options.recompute = a.has("--recompute"); },
       true},
      {whole("--accumulate", "forwards of a step", "1", 1, 1 << 20),
       [](auto& a, auto& c) { c.recipe.options.accumulate = *a.integer("--accumulate"); }},
  };
}

std::vector<Setting> optimizer_settings() {
  return {
      {whole("--steps", "steps in all, also of a resumed run", "1000"),
       [](auto& a, auto& c) { c.recipe.options.steps = *a.integer("--steps"); }, true},
      {whole("--batch-size", "sequences of a forward", "8", 1, 1 << 20),
       [](auto& a, auto& c) { c.recipe.options.batch = *a.integer("--batch-size"); }},
      {real("--lr", "learning rate", "3e-4", 0, 1e3),
       [](auto& a, auto& c) { c.recipe.options.rate = *a.number("--lr"); }},
      {whole("--warmup-steps", "steps in which it rises", "0", 0),
       [](auto& a, auto& c) { c.recipe.options.warmup = *a.integer("--warmup-steps"); }},
      {{.name = "--cosine", .help = "then it falls along half a cosine; needs --warmup-steps or --fit-time"},
       [](auto& a, auto& c) { c.recipe.options.cosine = a.has("--cosine"); }},
      {{.name = "--min-lr",
        .metavar = "X",
        .type = Type::number,
        .help = "learning rate at the end of the cosine",
        .fallback_words = "a tenth of --lr",
        .min = 0,
        .max = 1e3},
       [](auto& a, auto& c) { c.recipe.options.least_rate = a.number("--min-lr"); }},
      {real("--beta2", "decay of AdamW's second moment", "0.99", 0, 0.9999999),
       [](auto& a, auto& c) { c.recipe.options.beta2 = *a.number("--beta2"); }},
      {real("--weight-decay", "weight decay of matrices", "0.1", 0, 1e3),
       [](auto& a, auto& c) { c.recipe.options.weight_decay = *a.number("--weight-decay"); }},
      {real("--clip-grad", "largest norm of the gradient; 0: any", "1", 0, 1e9),
       [](auto& a, auto& c) { c.recipe.options.clip = a.has("--no-clip-grad") ? 0 : *a.number("--clip-grad"); }},
      {{.name = "--no-clip-grad", .help = "gradients of any norm"},
       [](auto& a, auto& c) {
         if (a.has("--no-clip-grad")) c.recipe.options.clip = 0;
       }},
      {real("--val-share", "share of the corpus that is kept for validation", "0.1", 0, 0.9),
       [](auto& a, auto& c) { c.recipe.options.validation_share = *a.number("--val-share"); }},
  };
}

std::vector<Setting> run_settings() {
  return {
      {whole("--eval-every", "steps between validations; 0: none", "100", 0),
       [](auto& a, auto& c) { c.options.eval_every = *a.integer("--eval-every"); }, true},
      {whole("--gen-every", "steps between text samples; 0: none", "200", 0),
       [](auto& a, auto& c) { c.options.gen_every = *a.integer("--gen-every"); }, true},
      {whole("--save-every", "steps between checkpoints; 0: only at the end", "500", 0),
       [](auto& a, auto& c) { c.options.save_every = *a.integer("--save-every"); }, true},
      {whole("--keep", "newest checkpoints that stay, beside the best", "3"),
       [](auto& a, auto& c) { c.options.keep = *a.integer("--keep"); }, true},
      {{.name = "--prompt",
        .metavar = "TEXT",
        .type = Type::text,
        .help = "beginning of a text sample",
        .fallback_words = "Once upon a time",
        .repeatable = true},
       [](auto& a, auto& c) { c.options.prompts = a.all("--prompt"); },
       true},
      {real("--div-warn", "say so when the validation loss is this many per cent above the training loss", "20"),
       [](auto& a, auto& c) { c.options.divergence_warning = *a.number("--div-warn"); }, true},
      {{.name = "--div-crit",
        .metavar = "X",
        .type = Type::number,
        .help = "save and stop (exit code 1) when it is this many per cent above",
        .fallback_words = "never",
        .min = 1e-3,
        .max = large},
       [](auto& a, auto& c) { c.options.divergence_stop = a.number("--div-crit"); },
       true},
      {{.name = "--events",
        .metavar = "KIND",
        .type = Type::choice,
        .help = "also log this kind of event",
        .choices = {"grad", "drift", "tap", "op_timing"},
        .repeatable = true},
       [](auto& a, auto& c) {
         const auto kinds = a.all("--events");
         c.options.events = {kinds.begin(), kinds.end()};
       },
       true},
      {whole("--events-every", "steps between those", "10"),
       [](auto& a, auto& c) { c.options.events_every = *a.integer("--events-every"); }, true},
  };
}

std::vector<Setting> recipe_settings() {
  std::vector<Setting> all = model_settings();
  std::ranges::move(step_settings(), std::back_inserter(all));
  return all;
}

std::vector<Setting> settings() {
  std::vector<Setting> all = recipe_settings();
  std::ranges::move(optimizer_settings(), std::back_inserter(all));
  std::ranges::move(run_settings(), std::back_inserter(all));
  return all;
}

std::vector<Option> options_of(const std::vector<Setting>& settings) {
  std::vector<Option> options;
  options.reserve(settings.size());
  for (const Setting& s : settings) options.push_back(s.option);
  return options;
}

/// Errors: an option that would change nothing.
void refuse_without_effect(const Arguments& a, const RunConfig& config) {
  const bool validates = config.options.eval_every > 0 && config.recipe.options.validation_share > 0;
  for (const char* option : {"--div-warn", "--div-crit"}) {
    if (a.has(option) && !validates) {
      refuse("{} compares with the validation loss: it needs --eval-every and --val-share above 0", option);
    }
  }
  if (a.has("--events-every") && config.options.events.empty()) refuse("--events-every needs --events");
  if (a.has("--prompt") && config.options.gen_every == 0) refuse("--prompt needs --gen-every above 0");
}

}  // namespace

std::vector<Option> training_options() { return options_of(settings()); }

std::vector<Option> recipe_options() { return options_of(recipe_settings()); }

RunConfig run_config(const Arguments& a) {
  RunConfig config;
  for (const Setting& s : settings()) s.set(a, config);
  if (a.has("--cosine") && !a.has("--warmup-steps") && !a.has("--fit-time")) {
    refuse("--cosine needs --warmup-steps or --fit-time: the rate rises to --lr before it falls");
  }
  if (a.has("--min-lr") && !a.has("--cosine")) refuse("--min-lr needs --cosine: without it the rate does not fall");
  if (a.has("--vocab-size") && config.recipe.vocabulary.kind != "bpe") {
    refuse("--vocab-size is the number of merges of --vocab bpe; found --vocab {}",
           in_quotes(config.recipe.vocabulary.kind));
  }
  a.at_most_one({"--clip-grad", "--no-clip-grad"});
  refuse_without_effect(a, config);
  TrainingOptions options = config.recipe.options;
  // The steps and, where none are given, those in which the rate rises are not known before they are fitted to the
  // time.
  if (a.has("--fit-time")) options.steps = options.warmup + 1;
  options.check();
  config.options.check();
  config.recipe.model = config.recipe.model.resolved();
  return config;
}

RunConfig recipe_config(const Arguments& a) {
  RunConfig config;
  for (const Setting& s : recipe_settings()) s.set(a, config);
  config.recipe.model = config.recipe.model.resolved();
  return config;
}

void change_config(const Arguments& a, RunConfig& config) {
  for (const Setting& s : settings()) {
    if (!a.has(s.option.name)) continue;
    RunConfig changed = config;
    s.set(a, changed);
    if (!s.changes_on_resume && config_text(changed) != config_text(config)) {
      refuse(
          "{}: the run was begun with another value, and a resumed run keeps it; leave the flag out, or begin a new "
          "run",
          s.option.name);
    }
    config = changed;
  }
  refuse_without_effect(a, config);
}

Corpus corpus_of(const RunConfig& config, Console& console) {
  if (config.corpus.empty()) return Corpus::stories(config.recipe.options.seed);
  Corpus corpus = Corpus::files(config.corpus, config.separator);
  for (const std::string& note : corpus.notes()) console.note("note: {}", note);
  return corpus;
}

}  // namespace toy::cli

#include "toy/cli/dry_run.h"

#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/model_options.h"
#include "toy/cli/run_facts.h"
#include "toy/cli/signals.h"
#include "toy/cli/train_settings.h"
#include "toy/models/create.h"
#include "toy/train/estimate.h"

namespace toy::cli {

namespace {

Json json_of(const TrainingMemory& m) {
  return {{"parameters", m.parameters},   {"gradients", m.gradients}, {"optimizer", m.optimizer},
          {"activations", m.activations}, {"data", m.data},           {"total", m.total()}};
}

Json answer_of(Json memory, const std::optional<TrainingTime>& time) {
  const auto measured = [&](double TrainingTime::*value) { return time ? Json((*time).*value) : Json(nullptr); };
  return {{"memory", std::move(memory)},
          {"available_bytes", available_memory()},
          {"seconds", measured(&TrainingTime::seconds)},
          {"tokens_per_second", measured(&TrainingTime::tokens_per_second)}};
}

std::string table_of(const TrainingMemory& m) {
  return table({{"parameters", bytes_text(m.parameters)},
                {"gradients", bytes_text(m.gradients)},
                {"optimizer", bytes_text(m.optimizer)},
                {"activations", bytes_text(m.activations)},
                {"corpus and vocabulary", bytes_text(m.data)},
                {"total", bytes_text(m.total())}},
               "lr");
}

}  // namespace

void dry_run(const Arguments& a, Console& console) {
  const RunConfig config = run_config(a);
  const Interrupt interrupt;
  const FromScratch& recipe = config.recipe;
  const Corpus corpus = corpus_of(config, console);
  const std::stop_token stop = interrupt.token();
  TrainedVocabulary made;
  try {
    made = recipe.make_vocabulary(corpus, [&](auto&&...) { return !stop.stop_requested(); });
  } catch (const Error&) {
    if (!stop.stop_requested()) throw;
    if (a.has("--json")) console.print(line_of(answer_of(nullptr, {})));
    return console.note("interrupted while the vocabulary was learned; nothing was written");
  }
  if (made.end == TrainingEnd::no_pairs_left) console.note("note: {}", few_pieces(made));
  const Vocabulary& words = made.vocabulary;
  const Metadata metadata = model_metadata(recipe.model.resolved(), words, recipe.name);
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(words);
  const TrainingMemory memory =
      training_memory(metadata, recipe.options, data_memory(recipe.vocabulary, corpus.documents(), &tokenizer));
  if (!a.has("--json")) {
    console.print(table_of(memory));
    console.flush();
    console.note("{} is free", bytes_text(available_memory()));
  }
  try {
    require_memory(memory);
  } catch (const Error&) {
    if (a.has("--json")) console.print(line_of(answer_of(json_of(memory), {})));
    console.flush();
    throw;
  }
  const auto time = time_training(recipe, corpus, words, cpu_options(a), stop);
  if (a.has("--json")) console.print(line_of(answer_of(json_of(memory), time)));
  if (!time) return console.note("interrupted before a step was timed; nothing was written");
  if (a.has("--json")) return;
  console.print("time   {} for {} steps, {:.0f} tokens/s\n", duration_text(time->seconds), recipe.options.steps,
                time->tokens_per_second);
  console.note("from a few steps tried in memory; nothing was written");
}

std::vector<Field> dry_run_fields() {
  return {{"memory", "object or null", "estimate in bytes; null: interrupted before it was known"},
          {"memory.parameters", "integer", "", false},
          {"memory.gradients", "integer", "", false},
          {"memory.optimizer", "integer", "moments", false},
          {"memory.activations", "integer", "what a step keeps for its gradients", false},
          {"memory.data", "integer", "the corpus and the vocabulary", false},
          {"memory.total", "integer", "their sum", false},
          {"available_bytes", "integer", "free memory now"},
          {"seconds", "number or null", "estimated time of all steps; null: interrupted, or not enough memory"},
          {"tokens_per_second", "number or null", "speed of the steps tried"}};
}

}  // namespace toy::cli

#include "tests/train/tiny_training.h"

#include "tests/io/scratch.h"

namespace toy::test {

Corpus small_corpus() {
  std::vector<std::string> documents;
  documents.reserve(120);
  for (int i = 0; i < 120; ++i) {
    documents.push_back("The " + std::string(i % 3 == 0 ? "red" : "blue") + " hen number " + std::to_string(i) +
                        " found " + std::to_string(i % 7) + " grains. She ate them all and slept.\n");
  }
  return Corpus::texts(std::move(documents));
}

RunConfig small_config() {
  RunConfig config;
  config.recipe.model = ModelConfig{.d_model = 16, .layers = 2, .heads = 2, .context = 24}.resolved();
  config.recipe.options = {.steps = 12, .batch = 3, .rate = 3e-3, .warmup = 3, .cosine = true};
  config.recipe.vocabulary = {.kind = "bpe", .merges = 40};
  config.options.eval_every = 3;
  config.options.gen_every = 3;
  config.options.save_every = 4;
  config.options.sample_tokens = 8;
  return config;
}

Run begin_run(const std::filesystem::path& folder, const RunConfig& config, Device& device, const FileCalls& calls) {
  std::filesystem::create_directories(folder);
  return Run::begin(folder, config, small_corpus(), device, {}, calls);
}

Outcome outcome_of(const std::filesystem::path& run) {
  Outcome outcome;
  const Checkpoint c = newest_checkpoint(run).checkpoint;
  outcome.step = c.step;
  outcome.weights = testing::read_bytes(run / c.weights.path);
  outcome.state = testing::read_bytes(run / c.state.path);
  for (Event event : read_events(run / "events.jsonl").events) {
    for (const char* clock : {"t", "wall_us", "compute_us", "buckets", "started_at", "ended_at", "run_id"})
      event.erase(clock);
    outcome.log.push_back(event.dump());
  }
  return outcome;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace toy::test

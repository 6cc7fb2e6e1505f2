// A whole training on one screen: a recipe with its options, a corpus, and one step after another.
#include <cstdio>

#include "toy/train/train.h"

namespace {

/// What the model makes of a beginning, as it is now.
void tell_story(const toy::Training& training) {
  const std::string beginning = "Once upon a time";
  const std::string rest = toy::sample_text(training.model(), training.device(), training.tokenizer(), beginning, 40,
                                            {.temperature = 0.5F, .seed = 1});
  std::printf("%s%s\n", beginning.c_str(), rest.c_str());
}

}  // namespace

int main(int argc, char** argv) try {
  toy::CpuDevice device;  // as many threads as there are cores

  // The recipe: the shape of the model, how it is trained, how its vocabulary is learned. Every option has a name and a
  // default, and what does not fit together is an error that names both.
  toy::FromScratch recipe;
  recipe.model = toy::ModelConfig::tiny();
  recipe.options = {.steps = 300, .batch = 16, .rate = 1e-2, .warmup = 30, .cosine = true};
  recipe.vocabulary.merges = 300;

  // The corpus: stories by a grammar. Corpus::files({"books/*.txt"}) would read yours.
  const toy::Corpus corpus = toy::Corpus::stories(0, 400'000);

  // The recipe learns the vocabulary, encodes the corpus, draws the first parameters: nothing is trained yet.
  toy::Training training = recipe.realize(device, corpus);
  tell_story(training);

  // A step: some windows of the corpus, the very forward that `toy infer` runs, the tape back through it, AdamW.
  while (!training.done()) {
    const toy::StepResult r = training.step();
    if (r.step % 75 == 0) std::printf("step %3ld  loss %.3f\n", static_cast<long>(r.step), r.loss);
  }
  std::printf("validation loss %.3f\n", *training.validation_loss());
  tell_story(training);

  // A model file that toy and other programs read; its vocabulary is inside.
  if (argc > 1) toy::save_model(argv[1], training.model(), training.metadata());
  return 0;
} catch (const toy::Error& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}

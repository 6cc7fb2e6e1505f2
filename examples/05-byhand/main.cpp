// Teaches a transformer four sentences by heart, letter by letter, with the gradients that were derived by hand.
#include <cstdio>
#include <string>
#include <vector>

#include "toy/byhand/generate.h"
#include "toy/byhand/optimizers.h"
#include "toy/byhand/transformer.h"

using namespace toy::byhand;

int main() {
  // A letter's id is its place in the alphabet.
  const std::string alphabet = "\n .abcdefghijklmnopqrstuvwxyz";
  const auto encode = [&](const std::string& text) {
    std::vector<int> ids;
    for (const char letter : text) ids.push_back(static_cast<int>(alphabet.find(letter)));
    return ids;
  };

  // The model: it sees at most 24 letters, each a row of 32 numbers.
  const auto V = static_cast<int>(alphabet.size());
  auto lm =
      TransformerLM::random({.vocabulary = V, .context = 24, .width = 32, .heads = 4, .hidden = 64, .layers = 2}, 1);

  // Training: the loss is the mean of -log p(next letter). At first the model guesses: log 29 = 3.4.
  const std::vector<std::vector<int>> batch = {encode("the cat sat on the mat.\n"), encode("a dog ran into the fog.\n"),
                                               encode("my fish made a wish.\n"), encode("one bee drank hot tea.\n")};
  Adam adam({.lr = 1e-2});
  for (int step = 0; step <= 100; ++step) {
    const auto [loss, gradient] = lm.loss_and_gradient(batch);
    if (step % 20 == 0) std::printf("step %3d  loss %.4f\n", step, loss);
    adam.step(lm.parameters(), gradient.parameters());
  }

  // What it learned: the first letters are given, the model writes on until the end of the line.
  for (const std::string prompt : {"the cat", "a dog", "my", "one b"}) {
    std::string text = prompt;
    for (const int id : generate_from_ids(lm, encode(prompt), {.n = 24})) {
      if (alphabet[static_cast<std::size_t>(id)] == '\n') break;
      text += alphabet[static_cast<std::size_t>(id)];
    }
    std::printf("%s -> %s\n", prompt.c_str(), text.c_str());
  }
  return 0;
}

// Trains the model that the program carries: small stories by toy's own grammar. The same bytes from every run on one
// SIMD level. Usage: story-model OUT.gguf [--steps N] [--threads N]
#include <fmt/core.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "toy/train/train.h"

namespace {

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > 1 << 20) {
    toy::refuse("expected a number from 1 to {}, found '{}'", 1 << 20, text);
  }
  return value;
}

toy::FromScratch story_recipe() {
  toy::FromScratch recipe;
  recipe.name = "stories";
  recipe.model = {.arch = "llama", .d_model = 128, .layers = 4, .heads = 4, .kv_heads = 2, .d_ff = 352, .context = 256};
  recipe.options = {.steps = 1200, .batch = 16, .rate = 4e-3, .warmup = 100, .cosine = true, .documents = true};
  recipe.vocabulary.merges = 900;
  recipe.vocabulary.cuts = 3;
  return recipe;
}

void train(const std::string& path, std::int64_t steps, int threads) {
  toy::FromScratch recipe = story_recipe();
  if (steps > 0) recipe.options.steps = steps;
  toy::CpuDevice device({.threads = threads});
  toy::Training training = recipe.realize(device, toy::Corpus::stories(0, 8'000'000));
  const auto start = std::chrono::steady_clock::now();
  while (!training.done()) {
    const toy::StepResult r = training.step();
    if (r.step % 50 == 0) fmt::print("step {:>5}  loss {:.4f}\n", r.step, r.loss);
    std::fflush(stdout);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  toy::Metadata metadata = training.metadata();
  metadata.set("general.file_type", std::uint32_t{7});  // Q8_0
  metadata.set("general.description",
               fmt::format("trained by toy on stories of its own grammar, SIMD level {}", device.simd_level()));
  toy::save_model(path, training.model(), metadata, toy::DType::Q8_0);
  fmt::print("validation loss {:.4f}, {:.0f} s of training, {} bytes in {}\n", *training.validation_loss(), seconds,
             std::filesystem::file_size(path), path);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> words(argv + 1, argv + argc);
  std::string path;
  std::int64_t steps = 0, threads = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--steps" && i + 1 < words.size()) {
      steps = number(words[++i]);
    } else if (words[i] == "--threads" && i + 1 < words.size()) {
      threads = number(words[++i]);
    } else if (path.empty() && !words[i].starts_with("--")) {
      path = words[i];
    } else {
      toy::refuse("usage: story-model OUT.gguf [--steps N] [--threads N]");
    }
  }
  if (path.empty()) toy::refuse("usage: story-model OUT.gguf [--steps N] [--threads N]");
  train(path, steps, static_cast<int>(threads));
  return 0;
} catch (const toy::Error& error) {
  fmt::print(stderr, "story-model: {}\n", error.what());
  return error.fault() == toy::Fault::asked_wrongly ? 2 : 1;
}

// Trains the model that the program carries: small stories by toy's own grammar. The same bytes from every run on one
// SIMD level. Usage: story-model OUT.gguf [--expect FILE.gguf] [--steps N] [--threads N] [--simd LEVEL]
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "toy/io/gguf.h"
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

struct Wanted {
  std::string path, expected, simd;  // the last two may be empty
  std::int64_t steps = 0, threads = 0;
};

constexpr std::string_view about = "trained by toy on stories of its own grammar, SIMD level ";

/// The SIMD level that a file says it was trained on.
std::string level_of(const std::string& path) {
  const auto text = toy::GgufFile::open(path).metadata().get_or<std::string>("general.description", "");
  if (!text.starts_with(about)) toy::fail("{}: does not say on which SIMD level it was trained", path);
  return text.substr(about.size());
}

void train(const Wanted& wanted) {
  toy::FromScratch recipe = story_recipe();
  if (wanted.steps > 0) recipe.options.steps = wanted.steps;
  toy::CpuDevice device({.threads = static_cast<int>(wanted.threads), .simd_level = wanted.simd});
  fmt::print("training on SIMD level {}\n", device.simd_level());
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
  metadata.set("general.description", fmt::format("{}{}", about, device.simd_level()));
  toy::save_model(wanted.path, training.model(), metadata, toy::DType::Q8_0);
  fmt::print("validation loss {:.4f}, {:.0f} s of training, {} bytes in {}\n", *training.validation_loss(), seconds,
             std::filesystem::file_size(wanted.path), wanted.path);
}

/// Compares what was trained with what was expected, byte by byte if both are of one SIMD level: on another, sums are
/// rounded in another order.
void compare(const std::string& path, const std::string& expected) {
  const std::string level = level_of(path), other = level_of(expected);
  if (level != other) {
    fmt::print(
        "{} was trained on SIMD level {}, {} on {}: only files of one level have the same bytes, so they were "
        "not compared\n",
        path, level, expected, other);
    return;
  }
  const auto a = toy::map_file(path), b = toy::map_file(expected);
  if (!std::ranges::equal(a->bytes(), b->bytes())) {
    const auto [at, rest] = std::ranges::mismatch(a->bytes(), b->bytes());
    toy::fail("{} differs from {} at byte {}, though both were trained on SIMD level {}", path, expected,
              at - a->bytes().begin(), level);
  }
  fmt::print("the same bytes as {}, SIMD level {}\n", expected, level);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> words(argv + 1, argv + argc);
  Wanted wanted;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool more = i + 1 < words.size();
    if (words[i] == "--steps" && more) {
      wanted.steps = number(words[++i]);
    } else if (words[i] == "--threads" && more) {
      wanted.threads = number(words[++i]);
    } else if (words[i] == "--simd" && more) {
      wanted.simd = words[++i];
    } else if (words[i] == "--expect" && more) {
      wanted.expected = words[++i];
    } else if (wanted.path.empty() && !words[i].starts_with("--")) {
      wanted.path = words[i];
    } else {
      wanted.path.clear();
      break;
    }
  }
  if (wanted.path.empty()) {
    toy::refuse("usage: story-model OUT.gguf [--expect FILE.gguf] [--steps N] [--threads N] [--simd LEVEL]");
  }
  if (!wanted.expected.empty()) {
    const std::string level = level_of(wanted.expected);
    if (wanted.simd.empty() && std::ranges::count(toy::cpu_levels(), level) > 0) wanted.simd = level;
  }
  train(wanted);
  if (!wanted.expected.empty()) compare(wanted.path, wanted.expected);
  return 0;
} catch (const toy::Error& error) {
  fmt::print(stderr, "story-model: {}\n", error.what());
  return error.fault() == toy::Fault::asked_wrongly ? 2 : 1;
}

// Continues a text with the most likely tokens. Usage: 01-generate MODEL.gguf [PROMPT]
#include <fmt/core.h>

#include <cstdio>
#include <string_view>

#include "toy/generate/generate.h"
#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/error.h"

int main(int argc, char** argv) try {
  if (argc < 2) {
    fmt::print(stderr, "usage: {} MODEL.gguf [PROMPT]\n", argv[0]);
    return 2;
  }
  const std::string_view prompt = argc > 2 ? argv[2] : "Once upon a time";

  toy::CpuDevice cpu;
  const auto lm = toy::LanguageModel::open(argv[1], cpu);
  const auto ids = lm.text().encode(prompt);

  fmt::print("{}", prompt);
  const auto result = toy::generate(lm, ids, {.n = 64}, [](std::string_view text) {
    fmt::print("{}", text);
    std::fflush(stdout);
  });
  fmt::print("\n");
  fmt::print(stderr, "{} tokens, {:.0f} tokens/s\n", result.ids.size(), result.decode_tokens_per_second);
  return 0;
} catch (const toy::Error& error) {
  fmt::print(stderr, "error: {}\n", error.what());
  return error.fault() == toy::Fault::asked_wrongly ? 2 : 1;
}

// How likely a model finds each token of a text, and what it would rather have read.
// Usage: 02-logprobs MODEL.gguf [TEXT]
#include <fmt/core.h>

#include <cmath>
#include <string_view>

#include "toy/generate/score.h"
#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/tensor/error.h"

int main(int argc, char** argv) try {
  if (argc < 2) {
    fmt::print(stderr, "usage: {} MODEL.gguf [TEXT]\n", argv[0]);
    return 2;
  }
  toy::CpuDevice cpu;
  const auto lm = toy::LanguageModel::open(argv[1], cpu);
  const auto ids = lm.text().encode(argc > 2 ? argv[2] : "Once upon a time there was a cat.");

  const auto score = toy::score(lm, ids, {.top_k = 1});
  fmt::print("{:>8}  {:16}  {:>8}  most likely\n", "logprob", "token", "p");
  for (const auto& token : score.tokens) {
    const auto piece = lm.text().piece(token.id, true);
    if (!token.logprob) {
      fmt::print("{:>8}  {:16}\n", "", piece);
      continue;
    }
    fmt::print("{:8.3f}  {:16}  {:8.4f}", *token.logprob, piece, std::exp(*token.logprob));
    fmt::print("  {}\n", lm.text().piece(token.top.front().second, true));
  }
  fmt::print("{} tokens scored, perplexity {:.2f}\n", score.count, score.perplexity);
  return 0;
} catch (const toy::Error& error) {
  fmt::print(stderr, "error: {}\n", error.what());
  return error.fault() == toy::Fault::asked_wrongly ? 2 : 1;
}

// Writes a Llama with random parameters: untrained, for trying things out. Its vocabulary is the bytes, or what is
// learned from a corpus with --merges N (500; 0: the characters).
// Usage: random-model OUT.gguf [D LAYERS HEADS KV_HEADS FF] [--type f32|f16|q8_0] [--seed N] [--context N]
//                     [--corpus FILE] [--merges N]
#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "toy/io/file.h"
#include "toy/io/gguf.h"
#include "toy/tensor/error.h"
#include "toy/tensor/ops/dequantize.h"
#include "toy/tensor/random.h"
#include "toy/text/train_bpe.h"
#include "toy/text/vocabulary.h"

namespace {

struct Request {
  std::string path;
  std::int64_t D = 256, L = 4, H = 4, K = 2, F = 768;
  std::int64_t seed = 0, context = 2048, merges = 500;
  std::string corpus;
  toy::DType dtype = toy::DType::F32;
};

std::int64_t whole_number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > 1 << 24) {
    toy::refuse("expected a whole number up to {}, found '{}'", 1 << 24, text);
  }
  return value;
}

toy::DType type_of(const std::string& name) {
  if (name == "f32") return toy::DType::F32;
  if (name == "f16") return toy::DType::F16;
  if (name == "q8_0") return toy::DType::Q8_0;
  toy::refuse("--type: expected f32, f16 or q8_0, found '{}'", name);
}

Request parse(const std::vector<std::string>& words) {
  Request r;
  std::vector<std::string> plain;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("--")) {
      plain.push_back(words[i]);
      continue;
    }
    if (i + 1 == words.size()) toy::refuse("{}: expected a value after it", words[i]);
    const std::string& value = words[i + 1];
    if (words[i] == "--type") {
      r.dtype = type_of(value);
    } else if (words[i] == "--seed") {
      r.seed = whole_number(value);
    } else if (words[i] == "--context") {
      r.context = whole_number(value);
    } else if (words[i] == "--corpus") {
      r.corpus = value;
    } else if (words[i] == "--merges") {
      r.merges = whole_number(value);
    } else {
      toy::refuse("unknown flag {}; known: --type, --seed, --context, --corpus, --merges", words[i]);
    }
    ++i;
  }
  if (plain.size() != 1 && plain.size() != 6) {
    toy::refuse(
        "usage: random-model OUT.gguf [D LAYERS HEADS KV_HEADS FF] [--type f32|f16|q8_0] [--seed N] [--context N] "
        "[--corpus FILE] [--merges N]");
  }
  r.path = plain[0];
  if (plain.size() == 6) {
    std::int64_t* const sizes[] = {&r.D, &r.L, &r.H, &r.K, &r.F};
    for (std::size_t i = 0; i < 5; ++i) *sizes[i] = whole_number(plain[i + 1]);
  }
  const bool fits = r.D > 0 && r.L > 0 && r.H > 0 && r.K > 0 && r.F > 0 && r.context > 0 && r.H % r.K == 0 &&
                    r.D % r.H == 0 && r.D / r.H % 2 == 0;
  if (!fits) toy::refuse("expected HEADS to be a multiple of KV_HEADS, and D of 2 * HEADS, all of them 1 or more");
  const int block = toy::info(r.dtype).block_elements;
  if (r.D % block != 0 || r.F % block != 0) toy::refuse("--type q8_0: D and FF must be multiples of {}", block);
  return r;
}

toy::Vocabulary vocabulary_of(const Request& r) {
  if (r.corpus.empty()) return toy::byte_vocabulary();
  const toy::InputFile file(r.corpus);
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  toy::BpeOptions options;
  options.merges = static_cast<std::int32_t>(r.merges);
  return toy::train_bpe(text, options).vocabulary;
}

toy::Metadata metadata_of(const Request& r, const toy::Vocabulary& vocabulary) {
  toy::Metadata m;
  const auto count = [&](const char* key, std::int64_t value) { m.set(key, static_cast<std::uint32_t>(value)); };
  m.set("general.architecture", "llama");
  m.set("general.name", "untrained");
  count("llama.block_count", r.L);
  count("llama.context_length", r.context);
  count("llama.embedding_length", r.D);
  count("llama.feed_forward_length", r.F);
  count("llama.attention.head_count", r.H);
  count("llama.attention.head_count_kv", r.K);
  m.set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  count("llama.rope.dimension_count", r.D / r.H);
  m.set("llama.rope.freq_base", 10000.0F);
  count("llama.vocab_size", static_cast<std::int64_t>(vocabulary.tokens.size()));
  count("general.file_type", r.dtype == toy::DType::F32 ? 0 : r.dtype == toy::DType::F16 ? 1 : 7);
  toy::write_vocabulary(vocabulary, m);
  return m;
}

void write(const Request& r) {
  const toy::Vocabulary vocabulary = vocabulary_of(r);
  toy::Random random(static_cast<std::uint64_t>(r.seed));
  std::vector<toy::TensorSource> tensors;
  const auto matrix = [&](const std::string& name, std::int64_t rows, std::int64_t width) {
    // Rows keep the size of their input in the mean.
    const auto deviation = static_cast<float>(1 / std::sqrt(static_cast<double>(width)));
    tensors.push_back({name, {rows, width}, r.dtype, [&, rows, width, deviation](toy::ByteSink& sink) {
                         std::vector<float> row(static_cast<std::size_t>(width));
                         std::vector<std::byte> bytes(static_cast<std::size_t>(toy::bytes_of(r.dtype, width)));
                         for (std::int64_t i = 0; i < rows; ++i) {
                           for (float& x : row) x = deviation * static_cast<float>(random.normal());
                           toy::quantize_row(r.dtype, row, bytes.data());
                           sink.write(bytes);
                         }
                       }});
  };
  const auto ones = [&](const std::string& name) {
    tensors.push_back({name, {r.D}, toy::DType::F32, [&](toy::ByteSink& sink) {
                         for (std::int64_t i = 0; i < r.D; ++i) sink.number(1.0F);
                       }});
  };
  const std::int64_t d = r.D / r.H;
  matrix("token_embd.weight", static_cast<std::int64_t>(vocabulary.tokens.size()), r.D);
  for (std::int64_t l = 0; l < r.L; ++l) {
    const std::string block = fmt::format("blk.{}.", l);
    ones(block + "attn_norm.weight");
    matrix(block + "attn_q.weight", r.H * d, r.D);
    matrix(block + "attn_k.weight", r.K * d, r.D);
    matrix(block + "attn_v.weight", r.K * d, r.D);
    matrix(block + "attn_output.weight", r.D, r.H * d);
    ones(block + "ffn_norm.weight");
    matrix(block + "ffn_gate.weight", r.F, r.D);
    matrix(block + "ffn_up.weight", r.F, r.D);
    matrix(block + "ffn_down.weight", r.D, r.F);
  }
  ones("output_norm.weight");
  toy::write_gguf(r.path, metadata_of(r, vocabulary), tensors);
}

}  // namespace

int main(int argc, char** argv) try {
  write(parse({argv + 1, argv + argc}));
  return 0;
} catch (const toy::Error& error) {
  fmt::print(stderr, "random-model: {}\n", error.what());
  return error.fault() == toy::Fault::asked_wrongly ? 2 : 1;
}

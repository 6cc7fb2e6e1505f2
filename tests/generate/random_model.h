// Random Llama models of any width and weight type, as GGUF files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "toy/io/gguf.h"
#include "toy/tensor/ops/dequantize.h"
#include "toy/text/vocabulary.h"

namespace toy::test {

struct RandomModel {
  std::int64_t D = 256, L = 2, H = 8, K = 2, F = 512;
  DType type = DType::F32;
  float deviation = 0.08F;  // of the weights
  std::uint64_t seed = 1;
};

/// Rows of Gaussian numbers as `type`. Q6_K blocks are random bytes with a small scale.
inline std::vector<std::byte> random_rows(std::int64_t rows, std::int64_t width, DType type, float deviation,
                                          std::mt19937_64& random) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(bytes_of(type, rows * width)));
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> row(static_cast<std::size_t>(width));
  for (std::int64_t r = 0; r < rows; ++r) {
    std::byte* target = bytes.data() + r * bytes_of(type, width);
    if (type == DType::Q6_K) {
      for (std::int64_t i = 0; i < bytes_of(type, width); ++i) target[i] = static_cast<std::byte>(random());
      const std::uint16_t scale = float_to_half(1e-4F);
      for (std::int64_t b = 0; b < width / 256; ++b) std::memcpy(target + b * 210 + 208, &scale, 2);
      continue;
    }
    for (float& x : row) x = normal(random);
    quantize_row(type, row, target);
  }
  return bytes;
}

/// Writes the model with a byte vocabulary (259 tokens).
inline void write_random_model(const std::filesystem::path& path, const RandomModel& m) {
  Metadata meta;
  meta.set("general.architecture", "llama");
  meta.set("llama.context_length", std::uint32_t{512});
  meta.set("llama.embedding_length", static_cast<std::uint32_t>(m.D));
  meta.set("llama.block_count", static_cast<std::uint32_t>(m.L));
  meta.set("llama.feed_forward_length", static_cast<std::uint32_t>(m.F));
  meta.set("llama.attention.head_count", static_cast<std::uint32_t>(m.H));
  meta.set("llama.attention.head_count_kv", static_cast<std::uint32_t>(m.K));
  meta.set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  write_vocabulary(byte_vocabulary(), meta);

  std::mt19937_64 random(m.seed);
  std::vector<std::vector<std::byte>> data;
  std::vector<TensorSource> tensors;
  const auto add = [&](const std::string& name, Shape shape, DType type) {
    if (shape.rank() == 1) {
      const std::vector<float> ones(static_cast<std::size_t>(shape[0]), 1.0F);
      const auto bytes = std::as_bytes(std::span(ones));
      data.emplace_back(bytes.begin(), bytes.end());
    } else {
      data.push_back(random_rows(shape[0], shape[1], type, m.deviation, random));
    }
    tensors.push_back({name, shape, type, std::span<const std::byte>()});
  };
  const std::int64_t d = m.D / m.H;
  add("token_embd.weight", {259, m.D}, m.type);
  add("output_norm.weight", {m.D}, DType::F32);
  for (std::int64_t l = 0; l < m.L; ++l) {
    const std::string blk = "blk." + std::to_string(l) + ".";
    add(blk + "attn_norm.weight", {m.D}, DType::F32);
    add(blk + "attn_q.weight", {m.H * d, m.D}, m.type);
    add(blk + "attn_k.weight", {m.K * d, m.D}, m.type);
    add(blk + "attn_v.weight", {m.K * d, m.D}, m.type);
    add(blk + "attn_output.weight", {m.D, m.H * d}, m.type);
    add(blk + "ffn_norm.weight", {m.D}, DType::F32);
    add(blk + "ffn_gate.weight", {m.F, m.D}, m.type);
    add(blk + "ffn_up.weight", {m.F, m.D}, m.type);
    add(blk + "ffn_down.weight", {m.D, m.F}, m.type);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].data = std::span<const std::byte>(data[i]);
  write_gguf(path, meta, tensors);
}

/// A model file that lives as long as this object.
class ModelFile {
 public:
  explicit ModelFile(const RandomModel& m)
      : path_(std::filesystem::temp_directory_path() /
              ("toy-model-" + std::to_string(std::random_device{}()) + ".gguf")) {
    write_random_model(path_, m);
  }
  ~ModelFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace toy::test

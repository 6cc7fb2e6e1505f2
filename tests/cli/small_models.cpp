#include "tests/cli/small_models.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "toy/text/vocabulary.h"

namespace toy::testing {

namespace {

constexpr std::int64_t D = 32, L = 2, H = 4, K = 2, F = 48, context = 64, V = 259;

TensorSource wave(std::string name, Shape shape, float around = 0) {
  return {std::move(name), shape, DType::F32, [shape, around](ByteSink& sink) {
            for (std::int64_t i = 0; i < shape.elements(); ++i) {
              sink.number(around + 0.2F * static_cast<float>(std::sin(0.7 * static_cast<double>(i * i % 1009))));
            }
          }};
}

Metadata metadata_of(const std::string& architecture) {
  Metadata m;
  m.set("general.architecture", architecture);
  m.set("general.name", "small");
  const auto count = [&](const std::string& name, std::int64_t value) {
    m.set(architecture + "." + name, static_cast<std::uint32_t>(value));
  };
  count("block_count", L);
  count("context_length", context);
  count("embedding_length", D);
  count("feed_forward_length", F);
  count("attention.head_count", H);
  write_vocabulary(byte_vocabulary(), m);
  return m;
}

}  // namespace

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "toy-cli-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for temporary files");
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string SmallModel::write(const std::filesystem::path& path) const {
  std::filesystem::create_directories(path.parent_path());
  write_gguf(path, metadata, tensors);
  return path.string();
}

SmallModel small_llama() {
  SmallModel model{metadata_of("llama"), {}};
  model.metadata.set("llama.attention.head_count_kv", static_cast<std::uint32_t>(K));
  model.metadata.set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  model.metadata.set("llama.rope.dimension_count", static_cast<std::uint32_t>(D / H));
  model.metadata.set("llama.rope.freq_base", 10000.0F);
  model.metadata.set("llama.vocab_size", static_cast<std::uint32_t>(V));
  model.tensors = {wave("token_embd.weight", {V, D}), wave("output_norm.weight", {D}, 1)};
  for (std::int64_t l = 0; l < L; ++l) {
    const std::string b = "blk." + std::to_string(l) + ".";
    for (auto&& t : {wave(b + "attn_norm.weight", {D}, 1), wave(b + "attn_q.weight", {D, D}),
                     wave(b + "attn_k.weight", {D / H * K, D}), wave(b + "attn_v.weight", {D / H * K, D}),
                     wave(b + "attn_output.weight", {D, D}), wave(b + "ffn_norm.weight", {D}, 1),
                     wave(b + "ffn_gate.weight", {F, D}), wave(b + "ffn_up.weight", {F, D}),
                     wave(b + "ffn_down.weight", {D, F})}) {
      model.tensors.push_back(t);
    }
  }
  return model;
}

SmallModel small_gpt2() {
  SmallModel model{metadata_of("gpt2"), {}};
  model.metadata.set("gpt2.attention.layer_norm_epsilon", 1e-5F);
  model.tensors = {wave("token_embd.weight", {V, D}), wave("position_embd.weight", {context, D}),
                   wave("output_norm.weight", {D}, 1), wave("output_norm.bias", {D})};
  for (std::int64_t l = 0; l < L; ++l) {
    const std::string b = "blk." + std::to_string(l) + ".";
    for (auto&& t :
         {wave(b + "attn_norm.weight", {D}, 1), wave(b + "attn_norm.bias", {D}),
          wave(b + "attn_qkv.weight", {3 * D, D}), wave(b + "attn_qkv.bias", {3 * D}),
          wave(b + "attn_output.weight", {D, D}), wave(b + "attn_output.bias", {D}),
          wave(b + "ffn_norm.weight", {D}, 1), wave(b + "ffn_norm.bias", {D}), wave(b + "ffn_up.weight", {F, D}),
          wave(b + "ffn_up.bias", {F}), wave(b + "ffn_down.weight", {D, F}), wave(b + "ffn_down.bias", {D})}) {
      model.tensors.push_back(t);
    }
  }
  return model;
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace toy::testing

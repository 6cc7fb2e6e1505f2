#include "toy/train/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "toy/tensor/random.h"

namespace toy {

namespace {

void in_range(const char* name, std::int64_t value, std::int64_t most) {
  if (value < 1 || value > most) refuse("{}: expected 1 to {}, found {}", name, most, value);
}

bool is_gpt2(const Metadata& metadata) { return metadata.get<std::string>("general.architecture") == "gpt2"; }

/// Parameters whose output is added to the residual stream.
bool feeds_residual(std::string_view name) {
  return name.ends_with("attn_output.weight") || name.ends_with("ffn_down.weight");
}

}  // namespace

ModelConfig ModelConfig::resolved() const {
  ModelConfig c = *this;
  if (arch != "llama" && arch != "gpt2") refuse("arch: expected llama or gpt2, found '{}'", arch);
  constexpr std::int64_t most = 1 << 16;
  in_range("d-model", d_model, most);
  in_range("layers", layers, 1024);
  in_range("heads", heads, most);
  in_range("context", context, 1 << 20);
  if (c.kv_heads == 0) c.kv_heads = heads;
  in_range("kv-heads", c.kv_heads, heads);
  if (d_model % heads != 0) refuse("d-model {} is not a multiple of heads {}", d_model, heads);
  if (heads % c.kv_heads != 0) refuse("heads {} is not a multiple of kv-heads {}", heads, c.kv_heads);
  if (arch == "llama" && d_model / heads % 2 != 0) {
    refuse("d-model {} / heads {} = {}: a head of odd width cannot be rotated", d_model, heads, d_model / heads);
  }
  if (arch == "gpt2" && c.kv_heads != heads) {
    refuse("kv-heads {} differs from heads {}: gpt2 has a key for every query", c.kv_heads, heads);
  }
  if (c.d_ff == 0) c.d_ff = arch == "gpt2" ? 4 * d_model : (8 * d_model / 3 + 31) / 32 * 32;
  in_range("d-ff", c.d_ff, 1 << 20);
  return c;
}

Metadata model_metadata(const ModelConfig& config, const Vocabulary& vocabulary, const std::string& name) {
  const ModelConfig c = config.resolved();
  Metadata m("new model");
  const auto count = [&](const std::string& key, std::int64_t value) {
    m.set(c.arch + "." + key, static_cast<std::uint32_t>(value));
  };
  m.set("general.architecture", c.arch);
  m.set("general.name", name);
  m.set("general.file_type", std::uint32_t{0});
  count("block_count", c.layers);
  count("context_length", c.context);
  count("embedding_length", c.d_model);
  count("feed_forward_length", c.d_ff);
  count("attention.head_count", c.heads);
  count("attention.head_count_kv", c.kv_heads);
  if (c.arch == "gpt2") {
    m.set("gpt2.attention.layer_norm_epsilon", 1e-5F);
  } else {
    m.set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
    count("rope.dimension_count", c.d_model / c.heads);
    m.set("llama.rope.freq_base", 10000.0F);
  }
  count("vocab_size", static_cast<std::int64_t>(vocabulary.tokens.size()));
  write_vocabulary(vocabulary, m);
  return m;
}

Wanted optional_parameters(const Metadata& metadata) {
  return [biases = is_gpt2(metadata)](std::string_view name) { return biases && name.ends_with(".bias"); };
}

void first_values(const Parameter& p, std::size_t index, const Metadata& metadata, std::uint64_t seed) {
  constexpr double deviation = 0.02;
  const auto values = p.value.values<float>();
  if (p.value.shape().rank() < 2) {
    std::ranges::fill(values, p.name.ends_with(".weight") ? 1.0F : 0.0F);
    return;
  }
  double width = deviation;
  if (is_gpt2(metadata) && feeds_residual(p.name)) {
    width /= std::sqrt(2.0 * static_cast<double>(metadata.get<std::uint32_t>("gpt2.block_count")));
  }
  Random random(seed, index + 1);
  for (float& x : values) x = static_cast<float>(width * random.normal());
}

std::unique_ptr<Model> initialized_model(const Metadata& metadata, Device& device, std::uint64_t seed) {
  auto model = new_model(metadata, device, optional_parameters(metadata));
  const std::vector<Parameter> all = parameters(*model);
  for (std::size_t i = 0; i < all.size(); ++i) first_values(all[i], i, metadata, seed);
  return model;
}

}  // namespace toy

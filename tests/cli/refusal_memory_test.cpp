// The whole program refuses hostile files in little memory: at most 16 MiB above what `toy --version` takes.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "tests/cli/process.h"
#include "tests/cli/small_models.h"
#include "tests/io/raw_gguf.h"
#include "tests/sanitized.h"

namespace toy::testing {
namespace {

constexpr std::int64_t allowed = 16 << 20;
constexpr std::uint64_t GiB = std::uint64_t{1} << 30;

std::string number(const char* key, std::uint32_t value) { return raw_key(key, kv::u32, raw(value)); }

/// Keys of a Llama of these sizes, without a tokenizer.
std::vector<std::string> llama_keys(std::uint32_t layers, std::uint32_t width, std::uint32_t heads) {
  return {raw_key("general.architecture", kv::string, raw_text("llama")),
          number("llama.block_count", layers),
          number("llama.context_length", 1u << 30),
          number("llama.embedding_length", width),
          number("llama.feed_forward_length", width),
          number("llama.attention.head_count", heads),
          raw_key("llama.attention.layer_norm_rms_epsilon", kv::f32, raw(1e-5F))};
}

/// Tensors "x0", "x1" and so on of one number each.
void add_tensors(RawGguf& file, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    file.tensors.push_back(raw_tensor("x" + std::to_string(i), {1}, ggml::f32, 32 * i));
  }
  file.data = std::string(32 * count, '\0');
}

class Refusals : public ::testing::Test {
 protected:
  void SetUp() override {
    if (sanitized()) GTEST_SKIP() << "sanitizers take memory of their own";
    idle_ = toy({"--version"}).peak_bytes;
    ASSERT_GT(idle_, 0);
  }

  /// Every verb that opens a model, on a file of these bytes and a hole up to `size`. infer and eval must refuse it.
  void expect(const std::string& what, const std::string& bytes, std::uint64_t size = 0) {
    const Folder folder;
    const std::string path = folder / "m.gguf";
    write_file(path, bytes);
    if (size > bytes.size()) std::filesystem::resize_file(path, size);
    verbs(what, path);
  }

  void verbs(const std::string& what, const std::string& path) {
    check(what, {"infer", path, "--prompt-ids", "1"}, true);
    check(what, {"infer", path, "--prompt", "a", "--dry-run"}, false);
    check(what, {"eval", path, "--text", "a"}, true);
    check(what, {"describe", path}, false);
    check(what, {"describe", path, "--ops", "--json"}, false);
    check(what, {"tokenize", path, "--text", "a"}, false);
    check(what, {"list", std::filesystem::path(path).parent_path()}, false);
  }

  void check(const std::string& what, const std::vector<std::string>& words, bool refused, const Start& start = {}) {
    SCOPED_TRACE(what + ": " + words[0]);
    const Finished f = toy(words, start);
    EXPECT_EQ(f.signal, 0);
    if (refused) {
      EXPECT_EQ(f.code, 1) << f.err;
    } else {
      EXPECT_LE(f.code, 1) << f.err;
    }
    if (f.code == 1) {
      EXPECT_EQ(lines(f.err), 1) << f.err;
    }
    // What does not run is described all the same, with every tensor in a table.
    const std::int64_t tables = words[0] == "describe" ? 4 << 20 : 0;
    EXPECT_LT(f.peak_bytes - idle_, allowed + tables) << "MiB " << (f.peak_bytes - idle_) / double{1 << 20};
  }

  std::int64_t idle_ = 0;
};

TEST_F(Refusals, OfCounts) {
  for (const std::uint64_t count : {std::uint64_t{1} << 24, std::uint64_t{1} << 32, std::uint64_t{1} << 62}) {
    SCOPED_TRACE(count);
    expect("keys", RawGguf{.key_count = count}.str());
    expect("tensors", RawGguf{.tensor_count = count}.str());
    expect("array of numbers", RawGguf{.keys = {raw_array("k", kv::f64, count, "")}}.str());
    expect("vocabulary", RawGguf{.keys = {raw_array("tokenizer.ggml.tokens", kv::string, count, "")}}.str());
    expect("text", RawGguf{.keys = {raw_key("k", kv::string, raw(count))}}.str());
    expect("name", RawGguf{.tensors = {raw(count)}}.str());
  }
}

TEST_F(Refusals, OfFilesWithHoles) {
  expect("keys", RawGguf{.key_count = 1u << 16}.header(), 4 * GiB);
  expect("tensors", RawGguf{.tensor_count = 1u << 16}.header(), 4 * GiB);
  expect("array", RawGguf{.keys = {raw_array("k", kv::u8, 3 * GiB, "")}}.header(), 4 * GiB);
  expect("vocabulary", RawGguf{.keys = {raw_array("tokenizer.ggml.tokens", kv::string, 1u << 28, "")}}.header(),
         4 * GiB);
}

/// Good headers of models that lack their tensors; the last key has a value of 60 MiB of zeros.
TEST_F(Refusals, OfLongValues) {
  constexpr std::uint64_t size = 60 << 20;
  const auto refused = [&](const std::string& what, std::vector<std::string> keys) {
    const Folder folder;
    const std::string path = folder / "m.gguf";
    std::ofstream file(path, std::ios::binary);
    file << RawGguf{.tensor_count = 1, .keys = std::move(keys)}.header();
    file.seekp(size, std::ios::cur);
    file << raw_tensor("x0", {1}, ggml::f32, 0) << std::string(64, '\0');
    file.close();
    verbs(what, path);
  };
  const auto model = [](std::initializer_list<std::string> more) {
    std::vector<std::string> keys = llama_keys(1, 64, 1);
    keys.insert(keys.end(), more);
    return keys;
  };
  const auto text = [](const char* key) { return raw_key(key, kv::string, raw(size)); };
  const std::string kind = raw_key("tokenizer.ggml.model", kv::string, raw_text("llama"));
  const std::string other = raw_key("tokenizer.ggml.model", kv::string, raw_text("other"));
  const std::string tokens = raw_array("tokenizer.ggml.tokens", kv::string, 1, raw_text("a"));
  refused("architecture", {text("general.architecture")});
  refused("name", model({text("general.name")}));
  refused("scaling", model({text("llama.rope.scaling.type")}));
  refused("kind", model({tokens, text("tokenizer.ggml.model")}));
  refused("template", model({kind, tokens, text("tokenizer.chat_template")}));
  refused("scores", model({kind, tokens, raw_array("tokenizer.ggml.scores", kv::u8, size, "")}));
  refused("types", model({kind, tokens, raw_array("tokenizer.ggml.token_type", kv::u8, size, "")}));
  refused("tokens", model({kind, raw_array("tokenizer.ggml.tokens", kv::string, size / 8, "")}));
  refused("merges", model({kind, tokens, raw_array("tokenizer.ggml.merges", kv::string, size / 8, "")}));
  refused("token of another kind", model({other, raw_array("tokenizer.ggml.tokens", kv::string, 1, raw(size))}));
}

TEST_F(Refusals, OfHyperparameters) {
  constexpr std::uint32_t most = ~std::uint32_t{0};
  for (const auto& [layers, width, heads] : {std::tuple{1024u, 4096u, 32u},
                                             {most, 4096u, 32u},
                                             {1u, 1u << 20, 1u << 20},
                                             {1u, most, most},
                                             {1u, 64u, most},
                                             {1u << 14, 64u, 1u},
                                             {1024u, 1u << 20, 1u << 19}}) {
    RawGguf file{.keys = llama_keys(layers, width, heads)};
    add_tensors(file, layers == 1u << 14 ? layers : 1100);
    expect("layers " + std::to_string(layers) + " heads " + std::to_string(heads), file.str());
    file.keys.push_back(number("llama.vocab_size", 1u << 24));
    expect("and a vocabulary", file.str());
  }
}

/// A whole model of 1024 layers whose tensors lie in a hole, with one tensor missing.
TEST_F(Refusals, OfAModelThatLacksOneTensor) {
  RawGguf file{.keys = llama_keys(1024, 1024, 8)};
  std::uint64_t at = 0;
  const auto add = [&](const std::string& name, const std::vector<std::uint64_t>& ne) {
    std::uint64_t bytes = 4;
    for (const std::uint64_t n : ne) bytes *= n;
    file.tensors.push_back(raw_tensor(name + ".weight", ne, ggml::f32, at));
    at += bytes;
  };
  add("token_embd", {1024, 1u << 24});
  for (int l = 0; l < 1024; ++l) {
    const std::string blk = "blk." + std::to_string(l) + ".";
    for (const char* norm : {"attn_norm", "ffn_norm"}) add(blk + norm, {1024});
    for (const char* matrix : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
      add(blk + matrix, {1024, 1024});
    }
  }
  const std::string bytes = file.str();
  expect("1024 layers", bytes, bytes.size() + at);
}

TEST_F(Refusals, OfManifests) {
  const Folder home;
  const auto manifest = home / ".ollama/models/manifests/registry.ollama.ai/library/m/latest";
  constexpr std::size_t most = 256 << 10;
  const auto refused = [&](const std::string& what, const std::string& text) {
    write_file(manifest, text);
    check(what, {"list"}, false, {.environment = {{"HOME", home.str()}}, .folder = home.str()});
  };
  refused("nested arrays", std::string(most / 2, '[') + std::string(most / 2, ']'));
  refused("open arrays", std::string(most, '['));
  std::string objects = "{\"layers\":[";
  while (objects.size() < most - 10) objects += "{},";
  refused("objects", objects + "{}]}");
  std::string numbers = "{\"layers\":[";
  while (numbers.size() < most - 10) numbers += "0,";
  refused("numbers", numbers + "0]}");
}

}  // namespace
}  // namespace toy::testing

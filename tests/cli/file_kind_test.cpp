// GGUF files that are no model that runs here: what they are in one line, and their header described.
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "tests/cli/json_form.h"
#include "tests/cli/process.h"
#include "tests/cli/small_models.h"

namespace toy::testing {
namespace {

/// A file that a verb cannot use, and what must be said of it.
struct Odd {
  std::string path, words;
  bool tokenizes = false;  // it has a vocabulary all the same
};

void set_type(SmallModel& model, const char* type) { model.metadata.set("general.type", type); }

std::vector<Odd> odd_files(const Folder& folder) {
  std::vector<Odd> all;
  const auto add = [&](const std::string& name, const SmallModel& model, const std::string& words, bool tokenizes) {
    all.push_back({model.write(folder / (name + ".gguf")), words, tokenizes});
  };
  SmallModel model = small_llama();
  model.tensors.clear();
  add("words", model, "vocabulary", true);
  model.metadata = Metadata();
  model.metadata.set("general.architecture", "llama");
  add("header", model, "only a header", false);

  model = small_llama();
  set_type(model, "adapter");
  add("adapter", model, "adapter", true);
  model = {Metadata(), {}};
  model.metadata.set("general.architecture", "llama");
  for (const char* part : {"a", "b"}) {
    model.tensors.push_back(small_llama().tensors[1]);
    model.tensors.back().name = std::string("blk.0.attn_q.weight.lora_") + part;
  }
  add("adapter-without-type", model, "adapter", false);

  model = {Metadata(), {small_llama().tensors[1]}};
  model.tensors[0].name = "blk.0.attn_q.weight.in_sum2";
  model.metadata.set("imatrix.chunk_count", 4U);
  add("imatrix", model, "importance matrix", false);
  model.metadata.erase("imatrix.chunk_count");
  set_type(model, "imatrix");
  add("imatrix-by-type", model, "importance matrix", false);

  model = {Metadata(), {small_llama().tensors[1]}};
  model.metadata.set("general.architecture", "clip");
  model.metadata.set("clip.has_vision_encoder", true);
  add("projector", model, "projector", false);
  model.metadata = Metadata();
  set_type(model, "mmproj");
  add("projector-by-type", model, "projector", false);

  model = small_llama();
  model.metadata.set("llama.expert_count", 8U);
  for (TensorSource& tensor : model.tensors) {
    const auto at = tensor.name.find("ffn_up.");
    if (at != std::string::npos) tensor.name.replace(at, 6, "ffn_up_exps");
  }
  add("experts", model, "8 experts: experts are not supported", true);

  model = small_llama();
  model.metadata.set("general.architecture", "mamba\n" + std::string(300, 'x'));
  add("unknown", model, "unknown architecture 'mamba\\x0axxx", true);
  model = small_llama();
  model.tensors.pop_back();
  model.tensors[2].name = std::string(60, 'y');
  add("others", model, "2 missing ('blk.0.attn_norm.weight', ...), 1 unexpected ('yyy", true);
  model = small_llama();
  model.metadata.set("llama.block_count", 700U);
  add("layers", model, "llama.block_count = 700 is more than the 20 tensors of the file", true);
  return all;
}

void expect_short_line(const Finished& f, const std::string& words) {
  EXPECT_EQ(f.code, 1) << f.err;
  EXPECT_EQ(f.out, "");
  EXPECT_EQ(lines(f.err), 1) << f.err;
  EXPECT_LE(f.err.size(), 201U) << f.err;
  EXPECT_NE(f.err.find(words), std::string::npos) << words << " is not in " << f.err;
}

TEST(FileKind, verbs_that_need_a_model_say_what_it_is) {
  const Folder folder;
  for (const Odd& odd : odd_files(folder)) {
    expect_short_line(toy({"infer", odd.path, "--prompt-ids", "1", "--quiet"}), odd.words);
    expect_short_line(toy({"infer", odd.path, "--dry-run", "--quiet"}), odd.words);
    expect_short_line(toy({"eval", odd.path, "--prompt-ids", "1,2", "--quiet"}), odd.words);
    expect_short_line(toy({"bench", odd.path, "-r", "1", "--quiet"}), odd.words);
    expect_short_line(toy({"describe", odd.path, "--ops"}), odd.words);
    const Finished tokens = toy({"tokenize", odd.path, "--text", "a", "--quiet"});
    if (odd.tokenizes) {
      EXPECT_EQ(tokens.code, 0) << odd.path << tokens.err;
    } else {
      expect_short_line(tokens, odd.words);
      expect_short_line(toy({"train", "from-scratch", "--vocab", odd.path, "--dry-run"}), odd.words);
    }
  }
}

TEST(FileKind, a_long_path_leaves_room_for_the_words) {
  const Folder folder;
  std::filesystem::path deep(folder.str());
  for (int i = 0; i < 4; ++i) deep /= std::string(100, 'p');
  SmallModel model = small_llama();
  set_type(model, "adapter");
  const std::string path = model.write(deep / "m.gguf");
  const Finished f = toy({"infer", path, "--prompt-ids", "1"});
  expect_short_line(f, "is an adapter (LoRA)");
  EXPECT_NE(f.err.find("m.gguf: "), std::string::npos) << f.err;
}

TEST(FileKind, describe_shows_any_header) {
  const Folder folder;
  for (const Odd& odd : odd_files(folder)) {
    const Json json = answer({"describe", odd.path});
    EXPECT_EQ(json["runs"], false) << odd.path;
    EXPECT_NE(json["obstacle"].get<std::string>().find(odd.words), std::string::npos) << json["obstacle"];
    EXPECT_EQ(json["obstacle"].get<std::string>().find(folder.str()), std::string::npos) << json["obstacle"];
    EXPECT_EQ(json["parameters"].size(), GgufFile::open(odd.path).tensors().size());
    EXPECT_EQ(json["memory"], Json::array());
    EXPECT_TRUE(json["tied"].is_null());
    EXPECT_EQ(json["tokenizer"].is_object(), odd.tokenizes) << odd.path;
    const Finished text = toy({"describe", odd.path});
    EXPECT_EQ(text.code, 0);
    EXPECT_NE(text.out.find("It does not run here: "), std::string::npos) << text.out;
  }
  EXPECT_EQ(answer({"describe"})["runs"], true);
}

TEST(FileKind, describe_shows_what_no_getter_admits) {
  const Folder folder;
  SmallModel model{Metadata(), {small_llama().tensors[1]}};
  model.metadata.set("general.architecture", 7U);
  model.metadata.set("other.key", std::numeric_limits<float>::quiet_NaN());
  model.metadata.set("other.count", 12U);
  model.metadata.set("tokenizer.ggml.model", "bert");
  const Json json = answer({"describe", model.write(folder / "m.gguf")});
  EXPECT_EQ(json["architecture"], "");
  EXPECT_EQ(json["hyperparameters"]["general.architecture"], 7);
  EXPECT_EQ(json["hyperparameters"]["other.count"], 12);
  EXPECT_EQ(json["hyperparameters"]["other.key"], "FLOAT32, out of its range");
  EXPECT_EQ(json["hyperparameters"]["tokenizer.ggml.model"], "bert");
  EXPECT_TRUE(json["tokenizer"].is_null());
  const std::string out = toy({"describe", folder / "m.gguf"}).out;
  EXPECT_NE(out.find("Tokenizer: cannot be used: "), std::string::npos) << out;
  EXPECT_NE(out.find("output_norm.weight"), std::string::npos) << out;
}

TEST(FileKind, the_recorded_files) {
  const char* reference = std::getenv("TOY_REFERENCE");
  if (reference == nullptr) GTEST_SKIP() << "TOY_REFERENCE is not set";
  const std::string root = reference;
  const std::vector<std::pair<std::string, std::string>> files = {
      {"cases/lora.gguf", "is an adapter (LoRA)"},
      {"vocab/ggml-vocab-llama-spm.gguf", "holds a vocabulary only"},
      {"parity/models/mixtral/model.gguf", "is a mixture of 4 experts"},
      {"parity/models/qwen3moe/model.gguf", "unknown architecture 'qwen3moe'"},
      {"parity/lora/adapter.gguf", "is an adapter (LoRA)"}};
  for (const auto& [name, words] : files) {
    const std::string path = std::filesystem::path(root) / name;
    if (!std::filesystem::exists(path)) continue;
    expect_short_line(toy({"infer", path, "--prompt-ids", "1"}), words);
    EXPECT_EQ(answer({"describe", path})["runs"], false);
  }
}

}  // namespace
}  // namespace toy::testing

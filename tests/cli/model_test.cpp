// Models that are wrong, files that change, and interruptions.
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <limits>
#include <optional>

#include "tests/cli/process.h"
#include "tests/cli/small_models.h"
#include "tests/sanitized.h"

namespace toy::testing {
namespace {

void expect_one_line(const Finished& f, int code, const std::string& hint) {
  EXPECT_EQ(f.code, code) << f.err;
  EXPECT_EQ(f.out, "");
  EXPECT_EQ(lines(f.err), 1) << f.err;
  EXPECT_TRUE(f.err.starts_with("toy: ")) << f.err;
  EXPECT_NE(f.err.find(hint), std::string::npos) << f.err;
}

/// Bytes of a file with the first `from` replaced.
void replace_in_file(const std::string& path, const std::string& from, const std::string& to) {
  std::string bytes = read_file(path);
  const auto at = bytes.find(from);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, from.size(), to);
  write_file(path, bytes);
}

TEST(Errors, have_one_line_and_their_exit_code) {
  const Folder folder;
  const std::string model = small_llama().write(folder / "llama.gguf");
  expect_one_line(toy({"infer", folder / "no.gguf", "--prompt", "a"}), 1, "no such file");
  expect_one_line(toy({"infer", folder.str(), "--prompt", "a"}), 1, "is a directory");
  expect_one_line(toy({"infer", model, "--prompt-ids", "1,259"}), 2, "token id 259");
  expect_one_line(toy({"infer", model, "--prompt-ids=-1"}), 2, "token id -1");
  expect_one_line(toy({"infer", model, "--prompt", std::string(70, 'a')}), 2, "71 tokens, the context 64");
  expect_one_line(toy({"infer", model, "--prompt-file", folder / "no.txt"}), 1, "no.txt");
  expect_one_line(toy({"infer", model, "--prompt", "a", "--device", "cuda"}), 2, "built: cpu");
  expect_one_line(toy({"infer", model, "--prompt", "a", "--kv", "q8_0"}), 2, "32");
  expect_one_line(toy({"infer", model, "--dry-run", "--kv", "q8_0"}), 2, "32");
  expect_one_line(toy({"infer", model, "--prompt", "a", "--simd", "none"}), 2, "ref");
  expect_one_line(toy({"eval", model, "--text", "abc", "--window", "65"}), 2, "window");
  expect_one_line(toy({"eval", model, "--text", "abc", "--window", "8", "--stride", "8"}), 2, "stride");

  SmallModel other = small_llama();
  other.metadata.set("general.architecture", "mamba\nx");
  const std::string unknown = other.write(folder / "other.gguf");
  const Finished f = toy({"infer", unknown, "--prompt", "a"});
  expect_one_line(f, 1, "unknown architecture");
  EXPECT_NE(f.err.find("gpt2, llama"), std::string::npos) << f.err;

  SmallModel without = small_llama();
  without.metadata.erase("tokenizer.ggml.model");
  expect_one_line(toy({"infer", without.write(folder / "without.gguf"), "--prompt", "a"}), 2, "no tokenizer");
  EXPECT_EQ(toy({"infer", folder / "without.gguf", "--prompt-ids", "5", "--n", "2"}).code, 0);

  // The element type of a tensor follows its name, the number of axes and two lengths.
  const std::string name = "output_norm.weight";
  const std::string axes("\1\0\0\0\40\0\0\0\0\0\0\0", 12);
  replace_in_file(model, name + axes + std::string(4, '\0'), name + axes + std::string("\x63\0\0\0", 4));
  expect_one_line(toy({"infer", model, "--prompt", "a"}), 1, name);
}

TEST(Errors, a_context_too_short_names_its_key) {
  const Folder folder;
  SmallModel model = small_llama();
  model.metadata.set("llama.context_length", 1u);
  const std::string path = model.write(folder / "m.gguf");
  expect_one_line(toy({"infer", path, "--prompt", "abc"}), 2, "the prompt has 4 tokens, the context 1 (llama.context_");
  expect_one_line(toy({"eval", path, "--text", "abc"}), 2, "found 1 (llama.context_length)");
  EXPECT_EQ(toy({"infer", path, "--prompt", "abc", "--context", "8", "--n", "2"}).code, 0);
  const Finished asked = toy({"infer", path, "--prompt", "abc", "--context", "2", "--quiet"});
  expect_one_line(asked, 2, "the context 2; shorten it or give a larger context");
}

TEST(Errors, a_parameter_that_is_not_a_number_ends_the_run) {
  const Folder folder;
  const std::string path = small_llama().write(folder / "m.gguf");
  const TensorInfo norm = *GgufFile::open(path).find("blk.1.attn_norm.weight");
  std::string bytes = read_file(path);
  bytes.replace(norm.offset, 4, std::string("\0\0\xC0\x7F", 4));
  write_file(path, bytes);
  const std::string hint = "m.gguf: the logits are not finite at token ";
  expect_one_line(toy({"infer", path, "--prompt", "abc"}), 1, hint + "5: found nan");
  expect_one_line(toy({"infer", path, "--prompt", "abc", "--temp", "1", "--json"}), 1, hint + "5");
  expect_one_line(toy({"eval", path, "--text", "abc", "--json"}), 1, hint + "2");
}

TEST(Infer, prompt_and_answer_share_the_context) {
  const Folder folder;
  const std::string path = small_llama().write(folder / "m.gguf");
  const std::vector<std::string> words{"infer", path, "--prompt", "abc", "--ignore-eos", "--context", "7", "--n"};
  const auto with = [&](const std::string& n) {
    std::vector<std::string> all = words;
    all.push_back(n);
    return toy(all);
  };
  const Finished more = with("50"), exact = with("3");
  EXPECT_NE(more.err.find("the context of 7 tokens is full after 3 new tokens"), std::string::npos) << more.err;
  EXPECT_NE(more.err.find("4 + 3 tokens, stopped by length"), std::string::npos) << more.err;
  EXPECT_NE(exact.err.find("4 + 3 tokens, stopped by length"), std::string::npos) << exact.err;
  EXPECT_EQ(exact.err.find("is full"), std::string::npos) << exact.err;
  EXPECT_EQ(exact.out, more.out);
}

TEST(Errors, an_empty_prompt_needs_a_first_token) {
  const Folder folder;
  SmallModel model = small_llama();
  const auto infer = [&] {
    return toy({"infer", model.write(folder / "m.gguf"), "--prompt", "", "--n", "1", "--json", "--quiet"});
  };
  model.metadata.set("tokenizer.ggml.add_bos_token", false);
  const Finished named = infer();
  EXPECT_EQ(named.code, 0) << named.err;
  EXPECT_NE(named.out.find("\"prompt_ids\":[1]"), std::string::npos) << named.out;

  // The id is none of the vocabulary, and without types no token is known to be BOS.
  model.metadata.set("tokenizer.ggml.bos_token_id", 70000u);
  model.metadata.erase("tokenizer.ggml.token_type");
  expect_one_line(infer(), 2, "the prompt is empty");
}

struct Change {
  std::string name;
  std::function<void(Metadata&, const std::string&)> apply;
};

std::vector<Change> changes() {
  constexpr auto most = std::numeric_limits<std::uint32_t>::max();
  return {{"0", [](Metadata& m, const std::string& key) { m.set(key, std::uint32_t{0}); }},
          {"1", [](Metadata& m, const std::string& key) { m.set(key, std::uint32_t{1}); }},
          {"-1", [](Metadata& m, const std::string& key) { m.set(key, std::int32_t{-1}); }},
          {"max", [](Metadata& m, const std::string& key) { m.set(key, most); }},
          {"max of 64 bits", [](Metadata& m, const std::string& key) { m.set(key, ~std::uint64_t{0}); }},
          {"0.0", [](Metadata& m, const std::string& key) { m.set(key, 0.0F); }},
          {"-1.0", [](Metadata& m, const std::string& key) { m.set(key, -1.0F); }},
          {"largest float", [](Metadata& m, const std::string& key) { m.set(key, std::numeric_limits<float>::max()); }},
          {"not a number",
           [](Metadata& m, const std::string& key) { m.set(key, std::numeric_limits<float>::quiet_NaN()); }},
          {"text", [](Metadata& m, const std::string& key) { m.set(key, "1"); }},
          {"texts",
           [](Metadata& m, const std::string& key) {
             m.set_strings(key, std::vector<std::string>{"1", "1"});
           }},
          {"numbers of layers",
           [](Metadata& m, const std::string& key) {
             m.set_array<float>(key, std::array<float, 2>{2, 2});
           }},
          {"absent", [](Metadata& m, const std::string& key) { m.erase(key); }}};
}

/// Every key of the architecture in turn gets every value: the model runs, or one line names the key.
void sweep(const SmallModel& model, const std::vector<std::string>& more_keys) {
  const Folder folder;
  std::vector<std::string> keys = more_keys;
  const auto architecture = model.metadata.get<std::string>("general.architecture");
  for (const auto& entry : model.metadata.entries()) {
    if (entry.key.starts_with(architecture + ".") || entry.key == "general.architecture") keys.push_back(entry.key);
  }
  for (const std::string& key : keys) {
    for (const Change& change : changes()) {
      SmallModel changed = model;
      change.apply(changed.metadata, key);
      const std::string path = changed.write(folder / "m.gguf");
      for (const char* verb : {"infer", "describe"}) {
        std::vector<std::string> words{verb, path, "--json", "--quiet"};
        if (std::string(verb) == "infer") {
          for (const char* word : {"--prompt-ids", "5", "--n", "4", "--threads", "1"}) words.emplace_back(word);
        }
        const Finished f = toy(words);
        EXPECT_EQ(f.signal, 0) << verb << ": " << key << " = " << change.name;
        if (f.code == 0) continue;
        EXPECT_EQ(f.code, 1) << verb << ": " << key << " = " << change.name << ": " << f.err;
        EXPECT_EQ(lines(f.err), 1) << f.err;
        EXPECT_NE(f.err.find(key), std::string::npos) << key << " = " << change.name << ": " << f.err;
      }
    }
  }
}

TEST(Hyperparameters, llama_runs_or_names_the_key) {
  sweep(small_llama(),
        {"llama.attention.key_length", "llama.attention.value_length", "llama.rope.scaling.type",
         "llama.rope.scaling.factor", "llama.rope.scale_linear", "llama.rope.scaling.original_context_length"});
}

TEST(Hyperparameters, yarn_runs_or_names_the_key) {
  SmallModel model = small_llama();
  model.metadata.set("llama.rope.scaling.type", "yarn");
  model.metadata.set("llama.rope.scaling.factor", 4.0F);
  sweep(model,
        {"llama.rope.scaling.original_context_length", "llama.rope.scaling.yarn_beta_fast",
         "llama.rope.scaling.yarn_beta_slow", "llama.rope.scaling.yarn_ext_factor", "llama.rope.scaling.attn_factor"});
}

TEST(Hyperparameters, gpt2_runs_or_names_the_key) { sweep(small_gpt2(), {"gpt2.attention.head_count_kv"}); }

/// One number for each layer: as one number if they are equal, otherwise one line.
TEST(Hyperparameters, numbers_of_each_layer_are_one_where_they_are_equal) {
  const Folder folder;
  const auto infer = [&](const std::function<void(Metadata&)>& change) {
    SmallModel model = small_llama();
    change(model.metadata);
    return toy({"infer", model.write(folder / "m.gguf"), "--prompt", "abc", "--n", "4", "--quiet"});
  };
  const Finished plain = infer([](Metadata&) {});
  ASSERT_EQ(plain.code, 0) << plain.err;
  const Finished layers = infer([](Metadata& m) {
    m.set_array<std::int32_t>("llama.attention.head_count_kv", std::array<std::int32_t, 2>{2, 2});
    m.set_array<std::uint32_t>("llama.feed_forward_length", std::array<std::uint32_t, 2>{48, 48});
    m.set_array<float>("llama.attention.layer_norm_rms_epsilon", std::array<float, 2>{1e-5F, 1e-5F});
  });
  EXPECT_EQ(layers.out, plain.out);
  EXPECT_EQ(layers.code, 0) << layers.err;
  const auto refused = [&](const std::vector<std::int32_t>& numbers, const std::string& rule) {
    const Finished f = infer([&](Metadata& m) { m.set_array<std::int32_t>("llama.feed_forward_length", numbers); });
    expect_one_line(f, 1, "llama.feed_forward_length");
    EXPECT_NE(f.err.find(rule), std::string::npos) << f.err;
  };
  refused({48, 32}, "found 48 for layer 0 and 32 for layer 1");
  refused({}, "found an array of 0 INT32");
  refused(std::vector<std::int32_t>(1025, 48), "found an array of 1025 INT32");
  refused({0, 0}, "expected an integer from 1 to");
}

TEST(Hyperparameters, what_cannot_be_is_refused) {
  const Folder folder;
  const auto refused = [&](const std::string& key, auto value, const std::string& rule = "") {
    SmallModel model = small_llama();
    model.metadata.set("llama.rope.scaling.type", "yarn");
    model.metadata.set("llama.rope.scaling.factor", 4.0F);
    model.metadata.set("llama." + key, value);
    const std::string path = model.write(folder / "m.gguf");
    const Finished f = toy({"infer", path, "--prompt-ids", "5", "--n", "1", "--quiet"});
    expect_one_line(f, 1, "llama." + key);
    EXPECT_NE(f.err.find(rule), std::string::npos) << f.err;
  };
  refused("attention.head_count", 6U, "embedding_length = 32 is not a multiple");
  refused("attention.head_count_kv", 3U, "head_count = 4 is not a multiple");
  refused("rope.dimension_count", 7U, "even");
  refused("rope.dimension_count", 10U, "more than the head width 8");
  refused("rope.scaling.type", "cubic");
  for (const char* key : {"attention.layer_norm_rms_epsilon", "rope.freq_base", "rope.scaling.factor",
                          "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "rope.scaling.yarn_ext_factor",
                          "rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor"}) {
    refused(key, -2.0F);
  }
}

class Running : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string command = std::string(TOY_RANDOM_MODEL) + " " + model + " 256 4 4 2 768 --context 1000000";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  /// Goes on for minutes, and reads the weights from the mapped file.
  std::vector<std::string> long_run(const std::string& more = "--quiet") const {
    return {"infer", model, "--prompt", "a", "--n", "900000", "--ignore-eos", "--simd", "ref", more};
  }

  Folder folder;
  const std::string model = folder / "random.gguf";
};

TEST_F(Running, a_file_that_shrinks_ends_the_program_with_one_line) {
  Process process(long_run());
  ASSERT_TRUE(process.wait_for_output());
  std::filesystem::resize_file(model, 4096);
  const Finished f = process.finish();
  EXPECT_EQ(f.signal, 0);
  EXPECT_EQ(f.code, 1);
  EXPECT_EQ(lines(f.err), 1) << f.err;
  EXPECT_NE(f.err.find("random.gguf"), std::string::npos) << f.err;
}

TEST_F(Running, a_shard_that_shrinks_is_named) {
  for (const std::size_t shrinks : {0U, 2U}) {
    const GgufFile whole = GgufFile::open(model);
    const auto shards = write_gguf_shards(folder / "parts", whole.metadata(), tensor_sources(whole), 3);
    std::vector<std::string> words = long_run();
    words[1] = shards[0].string();
    Process process(words);
    ASSERT_TRUE(process.wait_for_output());
    std::filesystem::resize_file(shards[shrinks], 4096);
    const Finished f = process.finish();
    EXPECT_EQ(f.code, 1);
    EXPECT_EQ(lines(f.err), 1) << f.err;
    EXPECT_NE(f.err.find(shards[shrinks].filename()), std::string::npos) << f.err;
  }
}

TEST_F(Running, an_interruption_ends_it_in_good_order) {
  Process process(long_run("--temp=0"));
  ASSERT_TRUE(process.wait_for_output());
  process.send(SIGINT);
  const Finished f = process.finish();
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_NE(f.err.find("interrupted"), std::string::npos) << f.err;
}

TEST_F(Running, an_interrupted_answer_is_still_json) {
  for (const std::string verb : {"infer", "bench", "eval"}) {
    std::vector<std::string> words = long_run("--json");
    if (verb == "bench") words = {"bench", model, "-r", "1000", "--simd", "ref", "--json"};
    if (verb == "eval") words = {"eval", model, "--simd", "ref", "--json"};
    Process process(words);
    process.end_input();
    ASSERT_TRUE(process.wait_until_guarded());
    process.send(SIGINT);
    const Finished f = process.finish();
    EXPECT_EQ(f.code, 0) << verb << f.err;
    EXPECT_TRUE(f.out.starts_with("{") && f.out.ends_with("}\n")) << f.out;
    const std::string said = verb == "infer" ? "\"stop\":\"interrupted\"" : "\"interrupted\":true";
    EXPECT_NE(f.out.find(said), std::string::npos) << f.out;
  }
}

TEST_F(Running, a_reader_that_leaves_ends_it_quietly) {
  Process process(long_run());
  ASSERT_TRUE(process.wait_for_output());
  process.stop_reading();
  const Finished f = process.finish();
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.err, "");
}

std::int64_t kib(const std::string& status) { return std::stoll(status); }

TEST(Memory, the_estimate_is_what_a_full_context_takes) {
  if (sanitized()) GTEST_SKIP() << "sanitizers take memory of their own";
  const Folder folder;
  const std::string model = folder / "random.gguf";
  ASSERT_EQ(std::system((std::string(TOY_RANDOM_MODEL) + " " + model + " 512 8 8 4 1536").c_str()), 0);

  // A program that has read a header and waits for its text.
  Process waiting({"tokenize", model});
  while (waiting.status("State").find('S') == std::string::npos || kib(waiting.status("VmHWM")) < 1024) {
  }
  const std::int64_t idle = kib(waiting.status("VmHWM")) * 1024;
  waiting.finish();

  for (const std::string kv : {"f16", "f32", "q8_0"}) {
    const std::string prompt(2040, 'a');
    const Finished f = toy({"infer", model, "--n", "4", "--kv", kv, "--threads", "1", "--prompt", prompt});
    ASSERT_EQ(f.code, 0) << f.err;
    const Finished dry = toy({"infer", model, "--dry-run", "--kv", kv, "--json"});
    const std::string key = "\"total\":";
    const double estimate = std::stod(dry.out.substr(dry.out.find(key) + key.size()));
    const auto measured = static_cast<double>(f.peak_bytes - idle);
    EXPECT_NEAR(measured, estimate, std::max(0.05 * measured, 8.0 * (1 << 20))) << kv;
  }
}

}  // namespace
}  // namespace toy::testing

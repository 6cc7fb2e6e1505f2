// What --json prints has the keys and types that the manifest promises, and is right for small models.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>
#include <sstream>

#include "toy/io/safetensors.h"

#include "tests/cli/json_form.h"
#include "tests/cli/process.h"
#include "tests/cli/small_models.h"

namespace toy::testing {
namespace {

class JsonForms : public ::testing::Test {
 protected:
  Folder folder;
  const std::string llama = small_llama().write(folder / "llama.gguf");
  const std::string gpt2 = small_gpt2().write(folder / "gpt2.gguf");
};

TEST_F(JsonForms, infer) {
  for (const std::string& model : {llama, gpt2}) {
    const Json json = answer({"infer", model, "--prompt", "ab", "--n", "5", "--ignore-eos", "--threads", "1"});
    EXPECT_EQ(json["prompt_ids"], Json({1, 'a' + 3, 'b' + 3}));
    EXPECT_EQ(json["ids"].size(), 5u);
    EXPECT_EQ(json["stop"], "length");
    EXPECT_EQ(json.size(), 7u);
    const Json again = answer({"infer", model, "--prompt-ids", "1,100,101", "--n", "5", "--ignore-eos"});
    EXPECT_EQ(again["ids"], json["ids"]);
    EXPECT_EQ(again["text"], json["text"]);
  }
}

TEST_F(JsonForms, infer_takes_the_prompt_from_a_file_or_standard_input) {
  write_file(folder / "prompt", "ab\r");
  const Json ids = {1, 100, 101, 16};
  EXPECT_EQ(answer({"infer", llama, "--prompt-file", folder / "prompt", "--n", "1"})["prompt_ids"], ids);
  EXPECT_EQ(answer({"infer", llama, "--n", "1"}, "", {.input = "ab\r"})["prompt_ids"], ids);
}

TEST_F(JsonForms, infer_takes_empty_and_broken_prompts) {
  EXPECT_EQ(answer({"infer", llama, "--prompt", "", "--n", "1"})["prompt_ids"], Json({1}));
  EXPECT_EQ(answer({"infer", llama, "--prompt", "\xff\xfe", "--n", "4"})["prompt_ids"], Json({1, 258, 257}));
}

TEST_F(JsonForms, infer_dry_run) {
  const Json json = answer({"infer", llama, "--dry-run", "--context", "128", "--kv", "f32"}, "--dry-run");
  const Json& m = json["memory"];
  EXPECT_EQ(m["kv"], 128 * 2 * 2 * 2 * 8 * 4);  // positions, layers, K and V, heads, width, bytes
  EXPECT_EQ(m["total"],
            m["weights"].get<int>() + m["kv"].get<int>() + m["activations"].get<int>() + m["tokenizer"].get<int>());
}

TEST_F(JsonForms, infer_stops) {
  const Json all = answer({"infer", llama, "--prompt", "ab", "--n", "100", "--ignore-eos"});
  EXPECT_EQ(all["ids"].size(), 61u) << "64 positions, 3 of the prompt";
  EXPECT_EQ(all["stop"], "length");

  SmallModel model = small_llama();
  model.metadata.set("tokenizer.ggml.eos_token_id", all["ids"][0].get<std::uint32_t>());
  const std::string ending = model.write(folder / "ending.gguf");
  const Json ended = answer({"infer", ending, "--prompt", "ab", "--n", "3"});
  EXPECT_EQ(ended["ids"], Json::array());
  EXPECT_EQ(ended["stop"], "eos");
  const Json ignored = answer({"infer", ending, "--prompt", "ab", "--n", "3", "--ignore-eos"});
  EXPECT_EQ(ignored["ids"].size(), 3u);
  EXPECT_EQ(ignored["stop"], "length");
}

TEST_F(JsonForms, eval) {
  const Json json = answer({"eval", llama, "--text", "abc", "--top-k", "2"});
  ASSERT_EQ(json["tokens"].size(), 4u);
  EXPECT_TRUE(json["tokens"][0]["logprob"].is_null());
  EXPECT_FALSE(json["tokens"][0].contains("top"));
  double sum = 0;
  for (std::size_t i = 1; i < 4; ++i) {
    sum -= json["tokens"][i]["logprob"].get<double>();
    ASSERT_EQ(json["tokens"][i]["top"].size(), 2u);
    EXPECT_GE(json["tokens"][i]["top"][0]["logprob"], json["tokens"][i]["top"][1]["logprob"]);
  }
  EXPECT_EQ(json["count"], 3);
  EXPECT_NEAR(json["nll"], sum / 3, 1e-9);
  EXPECT_NEAR(json["perplexity"], std::exp(sum / 3), 1e-6);
}

TEST_F(JsonForms, eval_of_a_first_token_alone_has_no_score) {
  const Json json = answer({"eval", llama, "--text", ""});
  EXPECT_EQ(json["tokens"].size(), 1u);
  EXPECT_EQ(json["count"], 0);
  EXPECT_TRUE(json["nll"].is_null() && json["perplexity"].is_null()) << json;
  const std::string out = toy({"eval", llama, "--text", ""}).out;
  EXPECT_NE(out.find("--text: nothing was scored"), std::string::npos) << out;
  EXPECT_EQ(out.find("perplexity"), std::string::npos) << out;
}

TEST_F(JsonForms, eval_names_its_own_passage_and_its_windows) {
  const Finished f = toy({"eval", llama, "--json", "--window", "32", "--stride", "8"});
  EXPECT_EQ(f.code, 0) << f.err;
  const Json json = Json::parse(f.out);
  EXPECT_NE(json["source"].get<std::string>().find("Alice"), std::string::npos);
  EXPECT_EQ(json["count"], json["tokens"].size() - 1);
  EXPECT_NE(f.err.find("24 tokens before"), std::string::npos) << f.err;
}

TEST_F(JsonForms, eval_takes_standard_input_as_it_is) {
  // A byte of text is a token of this model, beside BOS.
  const std::string text = "One\r\ntwo \xC3\xA9\n";
  const Json piped = answer({"eval", llama}, "", {.input = text});
  EXPECT_EQ(piped["source"], "standard input");
  EXPECT_EQ(piped["tokens"].size(), 1 + text.size());
  const Json given = answer({"eval", llama, "--text", text});
  EXPECT_EQ(piped["tokens"], given["tokens"]);
  EXPECT_EQ(answer({"eval", llama, "--text", "abc"}, "", {.input = text})["source"], "--text");
  EXPECT_EQ(answer({"eval", llama, "--prompt-ids", "1,2"}, "", {.input = text})["source"], "--prompt-ids");
  EXPECT_EQ(toy({"eval", llama}, {.input = text}).err.find("built-in passage"), std::string::npos);
}

TEST_F(JsonForms, eval_says_that_nothing_came_in) {
  const Finished f = toy({"eval", llama, "--json"});
  EXPECT_EQ(f.code, 0);
  EXPECT_NE(f.err.find("nothing on standard input: this scores the built-in passage"), std::string::npos) << f.err;
}

TEST_F(JsonForms, tokenize) {
  const Json json = answer({"tokenize", llama, "--text", "a\xc3\xa9"});
  EXPECT_EQ(json["ids"], Json({1, 100, 198, 172}));
  EXPECT_EQ(json["pieces"], Json({"<s>", "a", "\xEF\xBF\xBD", "\xEF\xBF\xBD"}));
  EXPECT_EQ(answer({"tokenize", llama, "--text", "<s>", "--no-bos"})["ids"], Json({63, 118, 65}));
  EXPECT_EQ(answer({"tokenize", llama, "--text", "<s>", "--no-bos", "--parse-special"})["ids"], Json({1}));
  EXPECT_EQ(answer({"tokenize", llama, "--text", "", "--no-bos"})["ids"], Json::array());
}

TEST_F(JsonForms, describe) {
  for (const std::string& model : {llama, gpt2}) {
    const Json json = answer({"describe", model, "--ops"});
    std::int64_t count = 0, bytes = 0;
    double share = 0;
    for (const Json& p : json["parameters"]) {
      count += p["count"].get<std::int64_t>();
      bytes += p["bytes"].get<std::int64_t>();
      share += p["share"].get<double>();
    }
    EXPECT_EQ(json["parameter_count"], count);
    EXPECT_EQ(json["parameter_bytes"], bytes);
    EXPECT_NEAR(share, 1, 1e-9);
    EXPECT_TRUE(json["tied"]);
    EXPECT_FALSE(json.at("ops").empty());
  }
  // 259 x 32 embeddings; per block q, o: 32 x 32, k, v: 16 x 32, three of 48 x 32, two norms; a last norm.
  const Json json = answer({"describe", llama});
  EXPECT_EQ(json["parameter_count"], 259 * 32 + 2 * (2 * 1024 + 2 * 512 + 3 * 1536 + 64) + 32);
  // A float is written as such, not as its double 9.999999747378752e-06.
  EXPECT_EQ(json["hyperparameters"]["llama.attention.layer_norm_rms_epsilon"], 1e-5);
}

/// Values of the ops of one kind, as text: inputs or outputs.
std::vector<std::vector<std::string>> values_of(const Json& ops, const std::string& op, const char* side) {
  std::vector<std::vector<std::string>> values;
  for (const Json& one : ops) {
    if (one["op"] == op) values.push_back(one[side]);
  }
  return values;
}

/// Lengths of the two models: D, F and V are no T, whatever it is.
TEST_F(JsonForms, the_trace_joins_keys_values_and_attention) {
  using Row = std::vector<std::string>;
  for (const std::string& model : {llama, gpt2}) {
    for (const std::string tokens : {"1", "2", "32", "48", "64"}) {
      const Json ops = answer({"describe", model, "--ops", "--tokens", tokens})["ops"];
      const auto appended = values_of(ops, "append", "outputs");
      ASSERT_EQ(appended.size(), 2u);
      EXPECT_EQ(appended[1], Row{"blk.1.attn.kv [S 2 K*d]"});
      EXPECT_EQ(values_of(ops, "append", "inputs")[0],
                (Row{"blk.0.attn.k [T K*d]", "blk.0.attn.v [T K*d]", "segments [B 3]"}));
      EXPECT_EQ(values_of(ops, "attention", "inputs")[1],
                (Row{"blk.1.attn.q [T H*d]", "blk.1.attn.kv [S 2 K*d]", "segments [B 3]"}));
      EXPECT_EQ(values_of(ops, "attention", "outputs")[0][0].find(" [T 32]"), std::string("v00").size());
      EXPECT_EQ(values_of(ops, "gather", "inputs").back()[1], "wanted [R]");
      EXPECT_EQ(values_of(ops, "linear", "inputs").back()[1], "token_embd.weight [259 32]");
      if (model == gpt2) continue;
      EXPECT_EQ(values_of(ops, "angles", "inputs")[0], (Row{"positions [T]", "rope.frequencies [4]"}));
    }
  }
  // F16 keys and values of 64 positions: 2 x 64 x 16 x 2 bytes, and as F32 rows twice that.
  const Json ops = answer({"describe", llama, "--ops", "--tokens", "64"})["ops"];
  const auto is = [](std::string_view name) { return [name](const Json& op) { return op["op"] == name; }; };
  EXPECT_EQ(std::ranges::find_if(ops, is("append"))->at("bytes"), 2 * 64 * 16 * (4 + 2) + 12);
  EXPECT_EQ(std::ranges::find_if(ops, is("attention"))->at("bytes"), 64 * 32 * (4 + 4) + 2 * 64 * 16 * 2 + 12);
}

TEST_F(JsonForms, describe_reads_the_header_alone) {
  std::filesystem::resize_file(llama, std::filesystem::file_size(llama) - 4000);
  const Finished f = toy({"describe", llama, "--json"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(Json::parse(f.out)["missing_bytes"], 4000);
  EXPECT_NE(f.err.find("missing"), std::string::npos);
  EXPECT_EQ(toy({"infer", llama, "--prompt", "a"}).code, 1);
}

TEST_F(JsonForms, bench) {
  const Json json = answer({"bench", llama, "-p", "16", "-n", "4", "-t", "1,2", "-r", "1"});
  ASSERT_EQ(json["results"].size(), 4u);
  EXPECT_EQ(json["results"][0]["kind"], "prefill");
  EXPECT_EQ(json["results"][0]["tokens"], 16);
  EXPECT_EQ(json["results"][1]["kind"], "decode");
  EXPECT_EQ(json["results"][3]["threads"], 2);
  for (const Json& r : json["results"]) EXPECT_GT(r["tokens_per_second"], 0);
  const std::string out = toy({"bench", llama, "-p", "4", "-n", "2", "-r", "1", "-t", "1"}).out;
  EXPECT_NE(out.find("; with 1 thread: "), std::string::npos) << out;
}

TEST_F(JsonForms, bench_of_the_machine) {
  const Json json = answer({"bench", "--machine", "-t", "1"}, "--machine");
  EXPECT_EQ(json["threads"], 1);
  for (const Json& level : json["levels"]) {
    EXPECT_GT(level["f32_gigaflops_one_core"], 0);
    std::map<std::string, int> chosen;
    for (const Json& k : level["micro_kernels"]) {
      EXPECT_GT(k["of_peak"], 0);
      chosen[k["kernel"]] += k["chosen"].get<bool>() ? 1 : 0;
    }
    EXPECT_EQ(chosen.size(), 5u) << level;
    for (const auto& [kernel, forms] : chosen) EXPECT_EQ(forms, 1) << kernel << " has one form that the program runs";
  }
  const Json last = json["levels"].back()["simd"];
  const std::string out = toy({"bench", "--machine", "-t", "1", "--simd", last.get<std::string>()}).out;
  EXPECT_NE(out.find("packed f32 tile"), std::string::npos) << out;
  for (const Json& level : json["levels"]) {
    const std::string name = level["simd"];
    const Finished forced = toy({"bench", "--machine", "--json", "--simd", name + ":memory"});
    if (forced.code == 2) continue;  // it has no forms
    const Json only = Json::parse(forced.out);
    ASSERT_EQ(only["levels"].size(), 1u);
    EXPECT_EQ(only["levels"][0]["simd"], name);
    for (const Json& k : only["levels"][0]["micro_kernels"]) {
      if (k["form"] == "memory") EXPECT_TRUE(k["chosen"]) << k;
    }
    EXPECT_NE(toy({"describe", llama, "--simd", name + ":memory"}).out.find("common factors from: memory"),
              std::string::npos);
  }
}

TEST_F(JsonForms, list) {
  const Json json = answer({"list", folder.str()}, "", {.folder = folder.str()});
  EXPECT_EQ(json["models"].size(), 2u);
}

TEST(Parity, eval_gives_the_recorded_loss) {
  const char* reference = std::getenv("TOY_REFERENCE");
  if (reference == nullptr) GTEST_SKIP() << "TOY_REFERENCE is not set";
  for (const char* name : {"gpt2", "llama-gqa-tied", "llama-linear", "llama-yarn", "llama3", "mistral-nemo"}) {
    const std::filesystem::path folder = std::filesystem::path(reference) / "parity/models" / name;
    const auto golden = SafetensorsFile::open(folder / "golden.safetensors");
    const auto ids = golden.values<std::int32_t>("ids");
    const auto length = static_cast<std::size_t>(golden.get("ids").shape[1]);
    double sum = 0;
    for (std::size_t begin = 0; begin < ids.size(); begin += length) {
      std::string list;
      for (std::size_t i = begin; i < begin + length; ++i) list += (i > begin ? "," : "") + std::to_string(ids[i]);
      const Json json = answer({"eval", folder / "model.gguf", "--prompt-ids", list, "--kv", "f32", "--threads", "1"});
      sum += json["nll"].get<double>();
    }
    const std::size_t whole = ids.size() / length;
    const auto rows = static_cast<double>(whole);
    EXPECT_NEAR(sum / rows, Json::parse(read_file(folder / "golden.json"))["loss"].get<double>(), 1e-5) << name;
  }
}

TEST(Stories, greedy_text_is_the_recorded_one) {
  const char* reference = std::getenv("TOY_REFERENCE");
  if (reference == nullptr) GTEST_SKIP() << "TOY_REFERENCE is not set";
  const std::filesystem::path models = std::filesystem::path(reference) / "models";
  const Json golden = Json::parse(read_file(models / "stories260K.greedy.json"));
  const std::string text = read_file(models / "stories260K.greedy.txt");
  const auto trimmed = [](const std::string& s) {
    const auto first = s.find_first_not_of(" \n"), last = s.find_last_not_of(" \n");
    return first == std::string::npos ? std::string() : s.substr(first, last - first + 1);
  };
  const std::string model = models / "stories260K-f32.gguf";
  const Json json = answer({"infer", model, "--prompt-ids", "1", "--n", "256"});
  EXPECT_EQ(json["ids"], golden["ids"]);
  EXPECT_EQ(trimmed(json["text"]), trimmed(text));
  EXPECT_EQ(trimmed(toy({"infer", model, "--prompt-ids", "1", "--n", "256"}).out), trimmed(text));
}

TEST(BuiltIn, verbs_without_a_model_use_the_one_inside) {
  const Json first = answer({"infer", "--prompt", "Once upon a time", "--n", "8"});
  EXPECT_EQ(first["ids"].size(), 8u);
  EXPECT_EQ(answer({"describe"})["architecture"], "llama");
  EXPECT_LT(answer({"eval", "--text", "Once upon a time, there was a little cat named Tom."})["nll"], 4);
  const Finished told = toy({"infer", "--prompt", "Lily saw a", "--n", "4"});
  EXPECT_NE(told.err.find("no MODEL given: this is the built-in one"), std::string::npos) << told.err;
}

/// What infer answers with the model inside and these options.
Json told(const std::vector<std::string>& options) {
  std::vector<std::string> words = {"infer", "--prompt", "Once upon a time", "--n", "24"};
  words.insert(words.end(), options.begin(), options.end());
  return answer(words);
}

TEST(BuiltIn, infer_ends_before_any_stop_text) {
  const std::string text = told({})["text"];
  const std::string end = text.substr(text.size() / 2, 4);
  const Json stopped = told({"--stop", end, "--stop", "\x01"});
  EXPECT_EQ(stopped["stop"], "stop");
  EXPECT_EQ(stopped["text"], text.substr(0, text.find(end)));
}

TEST(BuiltIn, infer_samples_as_it_is_told) {
  const Json greedy = told({})["ids"];
  const Json sampled = told({"--temp", "2", "--seed", "5"})["ids"];
  EXPECT_NE(sampled, greedy);
  EXPECT_EQ(told({"--temp", "2", "--seed", "5"})["ids"], sampled);
  EXPECT_NE(told({"--temp", "2", "--seed", "6"})["ids"], sampled);
  // Each leaves only the most likely token.
  for (const auto& [option, value] : {std::pair{"--top-k", "1"}, {"--top-p", "0.001"}, {"--min-p", "1"}}) {
    EXPECT_EQ(told({"--temp", "2", "--seed", "5", option, value})["ids"], greedy) << option;
  }
}

TEST(BuiltIn, is_called_built_in_and_not_by_a_path) {
  EXPECT_EQ(answer({"describe"})["files"], Json({"built-in"}));
  const Finished described = toy({"describe"});
  EXPECT_TRUE(described.out.starts_with("built-in: llama, ")) << described.out;
  const std::vector<std::vector<std::string>> all{{"describe", "--ops"},
                                                  {"infer", "--prompt", "a", "--n", "2", "--context", "100000"},
                                                  {"infer", "--dry-run"},
                                                  {"tokenize", "--text", "a"},
                                                  {"eval", "--text", "a", "--window", "100000"}};
  for (const auto& words : all) {
    const Finished f = toy(words);
    EXPECT_EQ((f.out + f.err).find("/proc/"), std::string::npos) << words[0] << ": " << f.out << f.err;
  }
}

/// Every line of the block that shows `describe`, in order; a line of dots stands for any.
TEST(Readme, shows_what_describe_prints) {
  const char* reference = std::getenv("TOY_REFERENCE");
  if (reference == nullptr) GTEST_SKIP() << "TOY_REFERENCE is not set";
  const std::string readme = read_file(TOY_DOCS "/../README.md");
  const std::string command = "$ build/toy describe stories260K-f32.gguf --simd v3\n";
  const auto begin = readme.find(command);
  ASSERT_NE(begin, std::string::npos);
  const std::string block = readme.substr(begin + command.size(), readme.find("```", begin) - begin - command.size());
  const Start start{.folder = std::string(reference) + "/models"};
  const Finished run = toy({"describe", "stories260K-f32.gguf", "--simd", "v3"}, start);
  if (run.code == 2) GTEST_SKIP() << "this processor has no level v3";
  const std::string out = "\n" + run.out;
  std::istringstream shown(block);
  std::size_t at = 0;
  for (std::string line; std::getline(shown, line);) {
    if (line == "...") continue;
    at = out.find("\n" + line + "\n", at);
    ASSERT_NE(at, std::string::npos) << "not printed, or not here: " << line << "\n" << out;
  }
}

}  // namespace
}  // namespace toy::testing

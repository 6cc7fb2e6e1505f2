// How infer takes its prompt, chooses tokens and tells them.
#include <gtest/gtest.h>

#include <csignal>
#include <set>
#include <sstream>

#include "tests/cli/json_form.h"
#include "tests/cli/process.h"
#include "tests/cli/small_models.h"

namespace toy::testing {
namespace {

class Prompts : public ::testing::Test {
 protected:
  Folder folder;
  const std::string model = small_llama().write(folder / "m.gguf");
};

TEST_F(Prompts, the_last_line_break_of_a_file_or_pipe_is_dropped_and_told) {
  const Json ids = {1, 100, 101};
  for (const std::string end : {"", "\n", "\r\n"}) {
    write_file(folder / "prompt", "ab" + end);
    const std::vector<std::string> from_file{"infer", model, "--prompt-file", folder / "prompt", "--n", "1"};
    EXPECT_EQ(answer(from_file)["prompt_ids"], ids) << end;
    EXPECT_EQ(answer({"infer", model, "--n", "1"}, "", {.input = "ab" + end})["prompt_ids"], ids) << end;
    const Finished told = toy({"infer", model, "--n", "1"}, {.input = "ab" + end});
    EXPECT_EQ(told.err.find("the last line break of the prompt was dropped") != std::string::npos, !end.empty());
  }
  const auto kept = [&](const std::string& input, const std::string& flag) {
    return answer({"infer", model, "--n", "1", flag}, "", {.input = input})["prompt_ids"];
  };
  EXPECT_EQ(kept("ab\r\n", "--keep-newline"), Json({1, 100, 101, 16, 13}));
  EXPECT_EQ(kept("ab\n\n", "--quiet"), Json({1, 100, 101, 13})) << "one of two";
  EXPECT_EQ(kept("ab\r", "--quiet"), Json({1, 100, 101, 16}));
  EXPECT_EQ(answer({"infer", model, "--n", "1", "--prompt", "ab\n"})["prompt_ids"], Json({1, 100, 101, 13}));
  // Other verbs take a text as it is.
  EXPECT_EQ(answer({"tokenize", model}, "", {.input = "ab\n"})["ids"], Json({1, 100, 101, 13}));
  write_file(folder / "text", "ab\n");
  EXPECT_EQ(answer({"eval", model, "--file", folder / "text"})["count"], 3);
}

TEST_F(Prompts, spellings_of_control_tokens_are_parsed_when_asked) {
  const auto ids = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"infer", model, "--n", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return answer(words)["prompt_ids"];
  };
  EXPECT_EQ(ids({"--prompt", "a</s>"}), Json({1, 100, 63, 50, 118, 65}));
  EXPECT_EQ(ids({"--prompt", "a</s>", "--parse-special"}), Json({1, 100, 2}));
}

TEST_F(Prompts, two_bos_are_told) {
  const std::string said = "begins with BOS (\"<s>\") twice";
  const auto tells = [&](const std::vector<std::string>& words) {
    const Finished f = toy(words);
    EXPECT_EQ(f.code, 0) << f.err;
    return f.err.find(said) != std::string::npos;
  };
  EXPECT_TRUE(tells({"infer", model, "--n", "1", "--prompt", "<s>a", "--parse-special"}));
  EXPECT_TRUE(tells({"infer", model, "--n", "1", "--prompt-ids", "1,1,5"}));
  EXPECT_TRUE(tells({"tokenize", model, "--text", "<s>a", "--parse-special"}));
  EXPECT_FALSE(tells({"infer", model, "--n", "1", "--prompt", "<s>a"}));
  EXPECT_FALSE(tells({"tokenize", model, "--text", "<s>a", "--parse-special", "--no-bos"}));
  EXPECT_FALSE(tells({"infer", model, "--n", "1", "--prompt-ids", "1,5,1,1"}));
}

TEST_F(Prompts, what_excludes_each_other_is_refused) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"--prompt", "a", "--keep-newline"},
                                                                 {"--prompt-ids", "1", "--keep-newline"},
                                                                 {"--prompt-ids", "1", "--parse-special"}}) {
    std::vector<std::string> all{"infer", model};
    all.insert(all.end(), words.begin(), words.end());
    const Finished f = toy(all);
    EXPECT_EQ(f.code, 2);
    EXPECT_NE(f.err.find("give only one of"), std::string::npos) << f.err;
  }
}

/// The answer of the model inside to a prompt, with these options.
std::vector<std::string> sampling(const std::vector<std::string>& options) {
  std::vector<std::string> words{"infer", "--prompt", "Once upon a time", "--n", "24"};
  words.insert(words.end(), options.begin(), options.end());
  return words;
}

TEST(Sampling, flags_without_a_temperature_mean_1) {
  const Json greedy = answer(sampling({}));
  EXPECT_TRUE(greedy["seed"].is_null());
  const std::vector<std::vector<std::string>> cases{{"--top-p", "0.99", "--seed", "5"},
                                                    {"--top-k", "500", "--seed", "5"},
                                                    {"--min-p", "0.0001", "--seed", "5"},
                                                    {"--seed", "5"}};
  for (const auto& options : cases) {
    std::vector<std::string> warm = options;
    warm.insert(warm.end(), {"--temp", "1"});
    const Json json = answer(sampling(options));
    EXPECT_EQ(json["ids"], answer(sampling(warm))["ids"]) << options[0];
    EXPECT_NE(json["ids"], greedy["ids"]) << options[0];
    EXPECT_EQ(json["seed"], 5);
  }
  const Finished told = toy(sampling({"--top-p", "0.9"}));
  EXPECT_NE(told.err.find("note: --top-p asks for sampling: --temp is 1\n"), std::string::npos) << told.err;
  const Finished cold = toy(sampling({"--temp", "0", "--top-p", "0.9", "--top-k", "3"}));
  EXPECT_NE(cold.err.find("--top-k, --top-p have no effect"), std::string::npos) << cold.err;
  EXPECT_EQ(answer(sampling({"--temp", "0", "--top-k", "40"}))["ids"], greedy["ids"]);
}

TEST(Sampling, the_seed_is_a_new_one_and_makes_the_text_again) {
  std::set<std::uint64_t> seeds;
  for (int i = 0; i < 4; ++i) {
    const Json json = answer(sampling({"--temp", "1.5"}));
    const std::string seed = json["seed"].dump();
    seeds.insert(json["seed"].get<std::uint64_t>());
    EXPECT_EQ(answer(sampling({"--temp", "1.5", "--seed", seed}))["ids"], json["ids"]) << seed;
  }
  EXPECT_GT(seeds.size(), 1U);
  const Finished told = toy(sampling({"--temp", "1.5", "--seed", "77"}));
  EXPECT_NE(told.err.find("; seed 77\n"), std::string::npos) << told.err;
  EXPECT_EQ(toy(sampling({})).err.find("; seed"), std::string::npos);
}

TEST(Sampling, the_range_is_the_one_that_is_admitted) {
  const Finished f = toy(sampling({"--top-p", "0"}));
  EXPECT_EQ(f.code, 2);
  EXPECT_EQ(f.err, "toy: --top-p: expected more than 0 and at most 1, found '0'\n");
  EXPECT_EQ(toy(sampling({"--top-p", "1.5"})).err, "toy: --top-p: expected more than 0 and at most 1, found '1.5'\n");
}

/// The lines that --json-lines prints: those of the tokens, then the answer.
std::pair<std::vector<Json>, Json> json_lines(std::vector<std::string> words) {
  words.emplace_back("--json-lines");
  const Finished f = toy(words);
  EXPECT_EQ(f.code, 0) << f.err;
  std::vector<Json> all;
  std::istringstream out(f.out);
  for (std::string line; std::getline(out, line);) all.push_back(Json::parse(line));
  const Json last = all.back();
  all.pop_back();
  const Form token(words, "--json-lines"), whole(words, "");
  for (const Json& line : all) token.check(line);
  whole.check(last);
  return {all, last};
}

void expect_tokens_and_text(const std::vector<Json>& tokens, const Json& last) {
  Json ids = Json::array();
  std::string text;
  for (const Json& token : tokens) {
    if (!token["id"].is_null()) ids.push_back(token["id"]);
    text += token["text"].get<std::string>();
  }
  EXPECT_EQ(ids, last["ids"]);
  EXPECT_EQ(text, last["text"]);
}

TEST_F(Prompts, json_lines_stream_each_token) {
  const auto [tokens, last] = json_lines(sampling({}));
  expect_tokens_and_text(tokens, last);
  EXPECT_EQ(tokens.size(), 24U);
  EXPECT_EQ(last["text"], answer(sampling({}))["text"]);
  // Halves of characters and the beginnings of stop texts wait; a token without text is told all the same.
  const auto [bytes, whole] = json_lines({"infer", model, "--prompt", "ab", "--n", "40", "--ignore-eos"});
  expect_tokens_and_text(bytes, whole);
  const std::string text = answer(sampling({}))["text"], stop = text.substr(10, 3);
  const auto [before, stopped] = json_lines(sampling({"--stop", stop}));
  expect_tokens_and_text(before, stopped);
  EXPECT_EQ(stopped["stop"], "stop");
}

TEST(Sampling, json_lines_come_one_by_one) {
  Process process({"infer", "--prompt", "Once", "--n", "200", "--ignore-eos", "--json-lines", "--simd", "ref"});
  ASSERT_TRUE(process.wait_for_output());
  process.send(SIGINT);  // comes too late for a program that prints when it has ended
  const Finished f = process.finish();
  EXPECT_LT(lines(f.out), 201) << f.out;
  EXPECT_NE(f.out.find("\"stop\":\"interrupted\""), std::string::npos) << f.out;
}

}  // namespace
}  // namespace toy::testing

// Recorded ids of the published vocabularies, made by another implementation.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "toy/io/gguf.h"
#include "toy/text/tokenizer.h"

#include "tests/text/sample.h"

namespace {

namespace fs = std::filesystem;

constexpr const char* vocabularies[] = {"deepseek-coder", "deepseek-llm", "falcon", "gpt-2",    "llama-bpe",
                                        "llama-spm",      "mpt",          "qwen2",  "starcoder"};

std::optional<fs::path> reference() {
  const char* folder = std::getenv("TOY_REFERENCE");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return folder;
}

toy::Tokenizer load(const fs::path& path) {
  return toy::Tokenizer::from_metadata(toy::GgufFile::open(path, {.map = false}).metadata());
}

/// A JSON file of texts, each with its ids as plain text and with special tokens parsed; none with BOS.
void check_json(const toy::Tokenizer& tokenizer, const fs::path& path) {
  const auto cases = nlohmann::json::parse(toy::test::read_file(path));
  ASSERT_GT(cases.size(), 50u);
  for (const auto& c : cases) {
    const auto text = c.at("text").get<std::string>();
    const auto plain = c.at("ids").get<std::vector<std::int32_t>>();
    const auto special = c.at("ids_special").get<std::vector<std::int32_t>>();
    EXPECT_EQ(tokenizer.encode(text, {.add_special = false}), plain) << c.at("text");
    EXPECT_EQ(tokenizer.encode(text, {.add_special = false, .parse_special = true}), special) << c.at("text");
    if (tokenizer.adds_bos()) {
      EXPECT_EQ(tokenizer.encode(text).front(), *tokenizer.bos());
    }
  }
}

/// Texts separated by a marker line, and a line of ids for each.
void check_lines(const toy::Tokenizer& tokenizer, const fs::path& texts_path, const fs::path& ids_path) {
  const std::string marker = "\n__ggml_vocab_test__\n";
  const std::string texts = toy::test::read_file(texts_path);
  std::istringstream lines(toy::test::read_file(ids_path));
  std::size_t count = 0;
  std::string line;
  for (std::size_t at = 0; std::getline(lines, line); ++count) {
    const std::size_t end = texts.find(marker, at);
    ASSERT_NE(end, std::string::npos);
    const std::string text = texts.substr(at, end - at);
    at = end + marker.size();
    std::istringstream numbers(line);
    std::vector<std::int32_t> ids;
    for (std::int32_t id; numbers >> id;) ids.push_back(id);
    EXPECT_EQ(tokenizer.encode(text, {.add_special = false}), ids) << nlohmann::json(text);
  }
  EXPECT_GT(count, 40u);
}

TEST(Vectors, Vocab512) {
  const toy::Tokenizer tokenizer = load(toy::test::repository_data() / "parity/vocab512.gguf");
  EXPECT_EQ(tokenizer.size(), 512);
  EXPECT_TRUE(tokenizer.notes().empty());
  check_json(tokenizer, toy::test::repository_data() / "parity/tokenizers/vocab512.json");
}

class PublishedVectors : public testing::TestWithParam<const char*> {};

TEST_P(PublishedVectors, MatchInBothColumns) {
  const auto folder = reference();
  if (!folder) GTEST_SKIP() << "TOY_REFERENCE names no folder with vocab/ and parity/";
  const std::string name = GetParam();
  const fs::path vocabulary = *folder / "vocab" / ("ggml-vocab-" + name + ".gguf");
  const toy::Tokenizer tokenizer = load(vocabulary);
  for (const std::string& note : tokenizer.notes()) std::cerr << name << ": " << note << '\n';
  check_lines(tokenizer, vocabulary.string() + ".inp", vocabulary.string() + ".out");
  check_json(tokenizer, *folder / "parity/tokenizers" / (name + ".json"));
}

INSTANTIATE_TEST_SUITE_P(All, PublishedVectors, testing::ValuesIn(vocabularies), [](const auto& info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
});

}  // namespace

// Links in the folders where people put models, and what list says of caches that are not as usual.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "toy/cli/caches.h"

#include "tests/cli/process.h"
#include "tests/cli/small_models.h"

namespace toy::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Links : public ::testing::Test {
 protected:
  Start start() const { return {.environment = {{"HOME", home.str()}}, .folder = home.str()}; }
  Json list() const {
    const Finished f = toy({"list", "--json"}, start());
    EXPECT_EQ(f.code, 0) << f.err;
    return Json::parse(f.out)["models"];
  }
  /// The reason why the row of this name was skipped; "" if it was not, "none" if there is no such row.
  static std::string reason(const Json& rows, const std::string& name) {
    for (const Json& row : rows) {
      if (row["name"] == name) return row.value("reason", "");
    }
    return "none";
  }

  Folder home;
  const std::string model = read_file(small_llama().write(home / "elsewhere/model.gguf"));
};

TEST_F(Links, files_and_folders_linked_on_purpose_are_models) {
  for (const std::string root : {"data", ".lmstudio/models"}) {
    write_file(home / "more/sub/inner.gguf", model);
    fs::create_directories(home / root);
    fs::create_symlink(home / "elsewhere/model.gguf", home / (root + "/linked.gguf"));
    fs::create_directory_symlink(home / "more", home / (root + "/folder"));
    const Json rows = list();
    EXPECT_EQ(reason(rows, "linked"), "") << rows;
    EXPECT_EQ(reason(rows, "folder/sub/inner"), "") << rows;
    for (const Json& row : rows) {
      const std::string target = row["name"] == "linked" ? "elsewhere/model.gguf" : "more/sub/inner.gguf";
      EXPECT_EQ(row["target"], (fs::canonical(home.str()) / target).string());
    }
    const std::string text = toy({"list"}, start()).out;
    EXPECT_NE(text.find("linked.gguf -> "), std::string::npos) << text;
    EXPECT_EQ(toy({"tokenize", "linked", "--text", "a"}, start()).code, 0);
    EXPECT_EQ(toy({"tokenize", "inner", "--text", "a"}, start()).code, 0);
    fs::remove_all(home / root);
  }
}

TEST_F(Links, loops_and_what_lies_behind_links_end) {
  write_file(home / "data/own/here.gguf", model);
  write_file(home / "more/inner.gguf", model);
  write_file(home / "third/far.gguf", model);
  const fs::path data = home / "data";
  fs::create_directory_symlink(".", data / "self");
  fs::create_directory_symlink("own", data / "within");
  fs::create_directory_symlink("..", data / "above");
  fs::create_directory_symlink("/", data / "root");
  fs::create_symlink("knot", data / "knot");
  fs::create_directory_symlink(home / "more", data / "once");
  fs::create_directory_symlink(home / "more", data / "twice");
  fs::create_directory_symlink(home / "third", home / "more/on");
  fs::create_symlink(home / "third/far.gguf", home / "more/out.gguf");
  fs::create_symlink("inner.gguf", home / "more/again.gguf");
  fs::create_symlink(home / "nowhere", data / "gone.gguf");
  const Json rows = list();
  EXPECT_EQ(reason(rows, "own/here"), "") << rows;
  EXPECT_EQ(reason(rows, "once/inner"), "");
  EXPECT_EQ(reason(rows, "once/again"), "");
  EXPECT_EQ(reason(rows, "self"), "a link to a folder that is looked into anyway");
  EXPECT_EQ(reason(rows, "within"), "a link to a folder that is looked into anyway");
  EXPECT_EQ(reason(rows, "above"), "a link to a folder that holds this one, not followed");
  EXPECT_EQ(reason(rows, "root"), "a link to a folder that holds this one, not followed");
  EXPECT_NE(reason(rows, "twice").find("as once, which was followed"), std::string::npos) << rows;
  EXPECT_EQ(reason(rows, "once/on"), "a link to a folder behind a link, which is not followed");
  EXPECT_EQ(reason(rows, "once/out"), "a link out of its folder");
  EXPECT_EQ(reason(rows, "gone"), "a link to a file that is missing");
  EXPECT_EQ(rows.size(), 11U) << rows;
  // Two names of one file are one model.
  EXPECT_EQ(toy({"tokenize", "inner", "--text", "a"}, start()).code, 0);
}

TEST_F(Links, every_snapshot_is_listed) {
  const fs::path repository = home / ".cache/huggingface/hub/models--org--repo";
  const std::string first(40, 'a'), second(40, 'b'), third(40, 'c'), hash(64, '1');
  SmallModel other = small_llama();
  other.metadata.set("general.name", "other");
  write_file(repository / "refs/main", first);
  write_file(repository / "blobs" / hash, model);
  fs::create_directories(repository / "snapshots" / first);
  fs::create_symlink("../../blobs/" + hash, repository / "snapshots" / first / "m.gguf");
  other.write(repository / "snapshots" / second / "m.gguf");
  other.metadata.set("general.name", "third");
  other.write(repository / "snapshots" / third / "only.gguf");
  fs::create_directory_symlink(home / "elsewhere", repository / "snapshots" / "out");
  const Json rows = list();
  EXPECT_EQ(reason(rows, "org/repo/m"), "") << rows;
  EXPECT_EQ(reason(rows, "org/repo/m@bbbbbbb"), "") << rows;
  EXPECT_EQ(reason(rows, "org/repo/only"), "") << rows;
  EXPECT_EQ(reason(rows, "org/repo"), "snapshots/out is a link out of its folder");
  EXPECT_EQ(rows.size(), 4U) << rows;
  // The name alone is that of main.
  const Finished f = toy({"describe", "m", "--json"}, start());
  EXPECT_NE(f.err.find(first), std::string::npos) << f.err;
}

TEST_F(Links, shards_without_a_first_one_get_a_reason) {
  const SmallModel shards = small_llama();
  const std::string snapshot = ".cache/huggingface/hub/models--o--r/snapshots/" + std::string(40, 'a');
  for (const std::string& folder : {std::string("data"), snapshot}) {
    fs::create_directories(home / folder);
    write_gguf_shards(home / (folder + "/lost"), shards.metadata, shards.tensors, 3);
    fs::remove(home / (folder + "/lost-00001-of-00003.gguf"));
  }
  const Json rows = list();
  const std::string said = "a shard without the first one, lost-00001-of-00003.gguf";
  EXPECT_EQ(reason(rows, "lost"), said) << rows;
  EXPECT_EQ(reason(rows, "o/r/lost"), said) << rows;
  EXPECT_EQ(rows.size(), 2U) << "each set once: " << rows;
}

TEST_F(Links, only_digests_with_partial_are_unfinished) {
  const std::string digest = "sha256-" + std::string(64, 'e');
  write_file(home / "data/my-partial-model.gguf", model);
  write_file(home / ("data/" + digest + "-partial-3.gguf"), model);
  write_file(home / ".ollama/models/blobs" / (digest + "-partial-0"), "x");
  write_file(home / ".ollama/models/blobs" / "sha256-abc-partial", "x");
  const Json rows = list();
  EXPECT_EQ(reason(rows, "my-partial-model"), "") << rows;
  EXPECT_EQ(reason(rows, digest + "-partial-3"), "an unfinished download");
  EXPECT_EQ(reason(rows, digest + "-partial-0"), "an unfinished download");
  EXPECT_EQ(reason(rows, "sha256-abc-partial"), "none");
}

std::string manifest(const std::string& hash, const std::vector<std::string>& kinds) {
  Json layers = Json::array();
  for (const std::string& kind : kinds) {
    layers.push_back({{"mediaType", "application/vnd.ollama.image." + kind}, {"digest", "sha256:" + hash}});
  }
  return Json{{"schemaVersion", 2}, {"layers", layers}}.dump();
}

TEST_F(Links, layers_beside_an_ollama_model_are_told_when_it_runs) {
  const fs::path root = home / ".ollama/models", library = root / "manifests/registry.ollama.ai/library";
  const std::string hash(64, 'c');
  write_file(root / "blobs" / ("sha256-" + hash), model);
  write_file(library / "plain/latest", manifest(hash, {"model", "license", "params"}));
  write_file(library / "templated/latest", manifest(hash, {"model", "template"}));
  write_file(library / "tuned/latest", manifest(hash, {"adapter", "template", "model"}));
  write_file(library / "tuned/old", manifest(hash, {"adapter", "model"}));
  const auto told = [&](const std::string& name) {
    const Finished f = toy({"infer", name, "--prompt", "a", "--n", "1"}, start());
    EXPECT_EQ(f.code, 0) << f.err;
    return f.err;
  };
  // The tag "latest" may be left out.
  EXPECT_EQ(told("plain").find("does not apply"), std::string::npos);
  EXPECT_NE(told("templated").find("with a template, which toy does not apply"), std::string::npos);
  EXPECT_NE(told("tuned").find("with an adapter and a template, which"), std::string::npos);
  EXPECT_NE(told("tuned:old").find("with an adapter, which"), std::string::npos);
  EXPECT_EQ(toy({"infer", "plai", "--prompt", "a"}, start()).code, 1);
}

TEST(CacheRoots, hold_the_service_of_ollama) {
  const char* set = std::getenv("OLLAMA_MODELS");
  if (set != nullptr) GTEST_SKIP() << "OLLAMA_MODELS is set";
  const auto roots = cli::cache_roots({}).ollama;
  EXPECT_TRUE(std::ranges::find(roots, "/usr/share/ollama/.ollama/models") != roots.end());
}

}  // namespace
}  // namespace toy::testing

// list, on made-up caches of the other tools.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

#include "tests/cli/process.h"
#include "tests/cli/small_models.h"

namespace toy::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Caches : public ::testing::Test {
 protected:
  Folder home;
  const std::string model = read_file(small_llama().write(home / "model.gguf"));

  Start start() const { return {.environment = {{"HOME", home.str()}}, .folder = home.str()}; }
  Json list(std::vector<std::string> words = {}) const {
    words.insert(words.begin(), {"list", "--json"});
    const Finished f = toy(words, start());
    EXPECT_EQ(f.code, 0) << f.err;
    return Json::parse(f.out)["models"];
  }
  /// The only row with this name.
  static Json row(const Json& rows, const std::string& name) {
    Json found;
    for (const Json& r : rows) {
      if (r["name"] == name) {
        EXPECT_TRUE(found.is_null()) << name << " twice";
        found = r;
      }
    }
    EXPECT_FALSE(found.is_null()) << name << " is not in " << rows;
    return found;
  }
  static void expect_skipped(const Json& rows, const std::string& name, const std::string& why) {
    const Json r = row(rows, name);
    ASSERT_TRUE(r.is_object());
    EXPECT_EQ(r["skipped"], true) << name;
    EXPECT_NE(r.value("reason", "").find(why), std::string::npos) << r;
  }
};

TEST_F(Caches, huggingface) {
  const fs::path repository = home / ".cache/huggingface/hub/models--org--repo";
  const std::string commit(40, 'a'), older(40, 'b'), hash(64, '1');
  write_file(repository / "refs/main", commit + "\n");
  write_file(repository / "refs/refs/pr/1", older);
  write_file(repository / "blobs" / hash, model);
  write_file(repository / "blobs" / (std::string(64, '2') + ".incomplete"), "x");
  write_file(home / "outside.gguf", model);
  const fs::path snapshot = repository / "snapshots" / commit;
  fs::create_directories(snapshot / "deep");
  fs::create_directories(repository / "snapshots" / older);
  fs::create_symlink("../../blobs/" + hash, snapshot / "good-f32.gguf");
  fs::create_symlink("../../../blobs/" + hash, snapshot / "deep/again.gguf");
  fs::create_symlink("../../blobs/" + hash, repository / "snapshots" / older / "good-f32.gguf");
  fs::create_symlink("../../blobs/" + hash, snapshot / "readme.md");
  fs::create_symlink("../../blobs/missing", snapshot / "dangling.gguf");
  fs::create_symlink(home / "outside.gguf", snapshot / "leaving.gguf");
  write_file(snapshot / "mmproj-f16.gguf", model);
  write_file(snapshot / "text.gguf", "no model");
  write_file(home / ".cache/huggingface/hub/models--a..b--c/refs/main", commit);

  const Json rows = list();
  // deep/again.gguf is the same blob and comes first.
  const Json good = row(rows, "org/repo/deep/again");
  EXPECT_EQ(good["source"], "huggingface");
  EXPECT_EQ(good["skipped"], false);
  EXPECT_EQ(good["architecture"], "llama");
  EXPECT_EQ(good["quantization"], "F32");
  EXPECT_EQ(good["context"], 64);
  EXPECT_EQ(good["bytes"], model.size());
  EXPECT_EQ(good["runs"], true);
  expect_skipped(rows, "org/repo/dangling", "missing");
  expect_skipped(rows, "org/repo/leaving", "out of its folder");
  expect_skipped(rows, "org/repo/mmproj-f16", "projector");
  expect_skipped(rows, "org/repo/text", "GGUF");
  expect_skipped(rows, "org/repo", "unfinished");
  expect_skipped(rows, "models--a..b--c", "repository");
  EXPECT_EQ(rows.size(), 7u) << rows;
}

std::string ollama_manifest(const std::string& media_type, const std::string& digest) {
  return Json{{"schemaVersion", 2},
              {"layers", {{{"mediaType", "application/vnd.ollama.image." + media_type}, {"digest", digest}}}}}
      .dump();
}

TEST_F(Caches, ollama) {
  const fs::path root = home / ".ollama/models";
  const fs::path library = root / "manifests/registry.ollama.ai/library";
  const std::string hash(64, 'c');
  write_file(root / "blobs" / ("sha256-" + hash), model);
  write_file(root / "blobs" / ("sha256-" + std::string(64, 'd')), "no model");
  write_file(root / "blobs" / ("sha256-" + std::string(64, 'e') + "-partial"), "x");
  write_file(home / "secret", "no model");
  write_file(library / "tiny/latest", ollama_manifest("model", "sha256:" + hash));
  write_file(root / "manifests/example.com/me/tiny/q8", ollama_manifest("model", "sha256:" + hash));
  write_file(library / "escape/latest", ollama_manifest("model", "sha256:../../../secret"));
  write_file(library / "absolute/latest", ollama_manifest("model", "/etc/passwd"));
  write_file(library / "short/latest", ollama_manifest("model", "sha256:" + std::string(63, 'c')));
  write_file(library / "dotted/latest", ollama_manifest("model", "sha256:" + std::string(49, '/') + "../../../secret"));
  write_file(library / "gone/latest", ollama_manifest("model", "sha256:" + std::string(64, 'f')));
  write_file(library / "broken/latest", ollama_manifest("model", "sha256:" + std::string(64, 'd')));
  write_file(library / "adapter/latest", ollama_manifest("adapter", "sha256:" + hash));
  write_file(library / "nojson/latest", "{");
  write_file(library / "-odd/latest", "{}");

  const Json rows = list();
  const Json tiny = row(rows, "tiny:latest");
  EXPECT_EQ(tiny["source"], "ollama");
  EXPECT_EQ(tiny["parameters"], 259 * 32 + 2 * (2 * 1024 + 2 * 512 + 3 * 1536 + 64) + 32);
  EXPECT_EQ(row(rows, "example.com/me/tiny:q8")["skipped"], false);
  expect_skipped(rows, "escape:latest", "digest");
  expect_skipped(rows, "absolute:latest", "digest");
  expect_skipped(rows, "short:latest", "digest");
  expect_skipped(rows, "dotted:latest", "digest");
  expect_skipped(rows, "gone:latest", "missing");
  expect_skipped(rows, "broken:latest", "GGUF");
  expect_skipped(rows, "nojson:latest", "layers");
  expect_skipped(rows, "registry.ollama.ai/library/-odd/latest", "HOST/NAMESPACE/MODEL/TAG");
  expect_skipped(rows, "sha256-" + std::string(64, 'e') + "-partial", "unfinished");
}

TEST_F(Caches, lmstudio_data_and_folders) {
  const fs::path root = home / ".lmstudio/models";
  write_file(root / "publisher/tiny/tiny.gguf", model);
  write_file(root / "publisher/cut/cut.gguf", model.substr(0, model.size() / 2));
  write_file(root / "publisher/tiny/notes.txt", "not a model");
  SmallModel other = small_llama();
  other.metadata.set("general.architecture", "mamba");
  other.write(root / "mamba.gguf");
  SmallModel adapter = small_llama();
  adapter.metadata.set("general.type", "adapter");
  adapter.write(root / "adapter.gguf");
  SmallModel words = small_llama();
  words.tensors.clear();
  words.write(root / "words.gguf");
  write_file(home / "data/copy.gguf", model);
  const SmallModel shards = small_llama();
  fs::create_directories(home / "more");
  write_gguf_shards(home / "more/big", shards.metadata, shards.tensors, 3);
  write_gguf_shards(home / "more/lost", shards.metadata, shards.tensors, 2);
  fs::remove(home / "more/lost-00002-of-00002.gguf");
  fs::create_directory_symlink("/", home / "more/everything");

  const Json rows = list({home / "more", home / "nowhere"});
  const Json tiny = row(rows, "publisher/tiny/tiny");
  EXPECT_EQ(tiny["source"], "lmstudio");
  EXPECT_EQ(tiny["duplicates"], Json({"data/copy.gguf"}));
  EXPECT_EQ(row(rows, "copy")["source"], "data");
  EXPECT_EQ(row(rows, "mamba")["runs"], false);
  EXPECT_NE(row(rows, "mamba")["obstacle"].get<std::string>().find("unknown architecture"), std::string::npos);
  EXPECT_EQ(row(rows, "big")["shards"], 3);
  expect_skipped(rows, "publisher/cut/cut", "cut.gguf");
  expect_skipped(rows, "lost", "00002");
  expect_skipped(rows, (home / "nowhere").string(), "folder");
  expect_skipped(rows, "everything", "not followed");
  expect_skipped(rows, "adapter", "adapter");
  expect_skipped(rows, "words", "no parameters");
  EXPECT_EQ(rows.size(), 10u) << rows;
}

/// Quantized weights take few bytes: what most weights are is counted in weights.
TEST_F(Caches, the_type_is_that_of_most_weights) {
  SmallModel mixed = small_llama();
  const std::vector<std::byte> zeros(4096);
  const auto tensor = [&](const std::string& name, Shape shape, DType type) {
    const auto bytes = static_cast<std::size_t>(bytes_of(type, shape.elements()));
    mixed.tensors.push_back({name, shape, type, std::span(zeros).first(bytes)});
  };
  mixed.tensors.clear();
  tensor("rest.weight", {10, 32}, DType::F32);     // 320 weights in 1280 bytes
  tensor("most.weight", {33, 32}, DType::Q8_0);    // 1056 weights in 1122 bytes
  tensor("little.weight", {10, 32}, DType::Q4_0);  // of many tensors the type counts together
  tensor("less.weight", {20, 32}, DType::Q4_0);
  mixed.write(home / "data/mixed.gguf");
  EXPECT_EQ(row(list(), "mixed")["quantization"], "Q8_0");
}

TEST_F(Caches, environment_moves_the_roots) {
  write_file(home / "ollama/manifests/registry.ollama.ai/library/x/latest", "{}");
  write_file(home / "hub/models--o--r/refs/main", "no commit");
  Start moved = start();
  moved.environment.emplace_back("OLLAMA_MODELS", home / "ollama");
  moved.environment.emplace_back("HF_HUB_CACHE", home / "hub");
  const Json rows = Json::parse(toy({"list", "--json"}, moved).out)["models"];
  expect_skipped(rows, "x:latest", "layers");
  expect_skipped(rows, "o/r", "no commit");
}

TEST_F(Caches, empty_says_how_to_fill_them) {
  const Finished f = toy({"list"}, start());
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.out, "");
  EXPECT_EQ(lines(f.err), 1);
  for (const char* hint : {"hf download", "ollama pull", "data/", "toy list FOLDER"}) {
    EXPECT_NE(f.err.find(hint), std::string::npos) << hint;
  }
}

TEST_F(Caches, changes_nothing_and_names_work_as_models) {
  write_file(home / ".lmstudio/models/publisher/tiny.gguf", model);
  const auto tree = [&] {
    std::vector<std::string> all;
    for (const auto& e : fs::recursive_directory_iterator(home.str())) {
      all.push_back(e.path().string() + std::to_string(e.last_write_time().time_since_epoch().count()));
    }
    std::ranges::sort(all);
    return all;
  };
  const auto before = tree();
  EXPECT_EQ(row(list(), "publisher/tiny")["skipped"], false);
  EXPECT_EQ(tree(), before);
  EXPECT_EQ(toy({"tokenize", "tiny", "--text", "a"}, start()).code, 0);
  EXPECT_EQ(toy({"tokenize", "publisher/tiny", "--text", "a"}, start()).code, 0);
  EXPECT_EQ(toy({"tokenize", "tin", "--text", "a"}, start()).code, 1);
}

TEST_F(Caches, table_stays_on_its_lines) {
  write_file(home / "data/bad\nname.gguf", "x");
  write_file(home / "data/good\nname.gguf", model);
  const Finished f = toy({"list"}, start());
  EXPECT_EQ(lines(f.out), 3) << f.out;
}

}  // namespace
}  // namespace toy::testing

// Where other tools keep their GGUF files. Read-only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace toy::cli {

/// A file in a cache, or what could not be used there.
struct FoundModel {
  std::string source;              // "huggingface", "ollama", "lmstudio", "llama.cpp", "data", "folder"
  std::string name;                // as the cache's own tool calls it
  std::filesystem::path path;      // the first shard
  std::string skipped;             // why it cannot be used; empty: it looks like a model
  std::string note{};              // what is said when it is run; may be empty
  std::filesystem::path target{};  // what a link out of the cache leads to; empty: it is none
};

/// The folders to search, from the environment, ./data, and `folders`.
struct CacheRoots {
  std::filesystem::path huggingface;
  std::vector<std::filesystem::path> ollama, lmstudio;
  std::filesystem::path llama_cpp;
  std::vector<std::filesystem::path> folders;
};
CacheRoots cache_roots(const std::vector<std::string>& folders);

/// Everything in the roots that looks like a model, sorted by source and name. Never fails: what cannot be read is
/// in the list with a reason. Links are followed only as far as they stay inside their root; in data/ and LM Studio's
/// folders, where people put them on purpose, one level out of it.
std::vector<FoundModel> find_models(const CacheRoots& roots);

/// The parts of find_models for caches that name their files by hash.
void find_in_huggingface(const std::filesystem::path& root, std::vector<FoundModel>& found);
void find_in_ollama(const std::filesystem::path& root, std::vector<FoundModel>& found);

/// Says, once for each set of shards, that its first one is missing.
class LostShards {
 public:
  /// The reason to skip a shard; empty if it is no later shard, if the first one is there, or if its set was reported
  /// before.
  std::string reason(const std::filesystem::path& path);

 private:
  std::set<std::filesystem::path> told_;
};

/// What the header of a model says.
struct ModelFacts {
  std::string architecture, quantization;
  std::string obstacle;  // why this program does not run it; empty: it does
  std::int64_t parameters = 0, bytes = 0, context = 0;
  int shards = 1;
  std::uint64_t fingerprint = 0;  // of its size, beginning and end: equal for copies
};
/// Errors: whatever the reader refuses, and files that hold no model of their own.
ModelFacts read_facts(const std::filesystem::path& path);

}  // namespace toy::cli

#include "toy/cli/caches.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "toy/cli/walk.h"
#include "toy/io/file.h"

namespace toy::cli {

namespace fs = std::filesystem;

namespace {

/// The value of an environment variable, if it is set to something.
fs::path from_environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? fs::path() : fs::path(value);
}

fs::path below(const fs::path& folder, std::string_view rest) { return folder.empty() ? fs::path() : folder / rest; }

fs::path first_of(std::initializer_list<fs::path> paths) {
  for (const fs::path& path : paths) {
    if (!path.empty()) return path;
  }
  return {};
}

/// GGUF files below a folder, named by their place in it.
void find_in_folder(const std::string& source, const fs::path& root, Links links, std::vector<FoundModel>& found) {
  LostShards lost;
  walk(
      root,
      [&](const WalkedFile& file) {
        const std::string name = file.path.filename().string();
        const std::string shown = without_shard(file.path.lexically_relative(root).string());
        std::string reason = file.problem;
        if (reason.empty() && name.ends_with(".gguf") && is_later_shard(name)) {
          reason = lost.reason(file.path);
          if (reason.empty()) return;
        }
        if (reason.empty()) reason = reason_to_skip(name);
        if (reason.empty() && !name.ends_with(".gguf")) return;
        found.push_back({source, shown, file.path, reason, {}, file.target});
      },
      {}, links);
}

}  // namespace

std::string LostShards::reason(const fs::path& path) {
  const std::string name = path.filename().string();
  const fs::path first = path.parent_path() / first_shard(name);
  std::error_code unknown;
  if (!is_later_shard(name) || fs::exists(first, unknown) || !told_.insert(first).second) return {};
  return "a shard without the first one, " + first.filename().string();
}

CacheRoots cache_roots(const std::vector<std::string>& folders) {
  const fs::path home = from_environment("HOME");
  const fs::path cache = first_of({from_environment("XDG_CACHE_HOME"), below(home, ".cache")});
  CacheRoots roots;
  roots.huggingface = first_of({from_environment("HF_HUB_CACHE"), from_environment("HUGGINGFACE_HUB_CACHE"),
                                below(from_environment("HF_HOME"), "hub"), below(cache, "huggingface/hub")});
  roots.ollama = {from_environment("OLLAMA_MODELS")};
  // As a service of the system it runs as a user of its own, whose home this is.
  if (roots.ollama[0].empty()) roots.ollama = {below(home, ".ollama/models"), "/usr/share/ollama/.ollama/models"};
  roots.lmstudio = {below(home, ".lmstudio/models"), below(home, ".cache/lm-studio/models")};
  roots.llama_cpp = first_of({from_environment("LLAMA_CACHE"), below(cache, "llama.cpp")});
  for (const std::string& folder : folders) roots.folders.emplace_back(folder);
  return roots;
}

std::vector<FoundModel> find_models(const CacheRoots& roots) {
  std::vector<FoundModel> found;
  find_in_huggingface(roots.huggingface, found);
  for (const fs::path& root : roots.ollama) find_in_ollama(root, found);
  for (const fs::path& root : roots.lmstudio) find_in_folder("lmstudio", root, Links::one_level, found);
  find_in_folder("llama.cpp", roots.llama_cpp, Links::inside, found);
  find_in_folder("data", "data", Links::one_level, found);
  for (const fs::path& folder : roots.folders) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
      found.push_back({"folder", folder.string(), folder, "is not a folder that can be read"});
    } else {
      find_in_folder("folder", folder, Links::inside, found);
    }
  }
  std::ranges::stable_sort(found, {}, [](const FoundModel& m) { return std::tie(m.source, m.name); });
  return found;
}

}  // namespace toy::cli

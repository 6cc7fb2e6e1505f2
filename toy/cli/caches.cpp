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
void find_in_folder(const std::string& source, const fs::path& root, std::vector<FoundModel>& found) {
  walk(root, [&](const WalkedFile& file) {
    const std::string name = file.path.filename().string();
    if (name.ends_with(".gguf") && is_later_shard(name) && file.problem.empty()) return;
    const std::string shown = without_shard(file.path.lexically_relative(root).string());
    if (!file.problem.empty()) {
      found.push_back({source, shown, file.path, file.problem});
    } else if (const std::string reason = reason_to_skip(name); !reason.empty()) {
      found.push_back({source, shown, file.path, reason});
    } else if (name.ends_with(".gguf")) {
      found.push_back({source, shown, file.path, {}});
    }
  });
}

}  // namespace

CacheRoots cache_roots(const std::vector<std::string>& folders) {
  const fs::path home = from_environment("HOME");
  const fs::path cache = first_of({from_environment("XDG_CACHE_HOME"), below(home, ".cache")});
  CacheRoots roots;
  roots.huggingface = first_of({from_environment("HF_HUB_CACHE"), from_environment("HUGGINGFACE_HUB_CACHE"),
                                below(from_environment("HF_HOME"), "hub"), below(cache, "huggingface/hub")});
  roots.ollama = first_of({from_environment("OLLAMA_MODELS"), below(home, ".ollama/models")});
  roots.lmstudio = {below(home, ".lmstudio/models"), below(home, ".cache/lm-studio/models")};
  roots.llama_cpp = first_of({from_environment("LLAMA_CACHE"), below(cache, "llama.cpp")});
  for (const std::string& folder : folders) roots.folders.emplace_back(folder);
  return roots;
}

std::vector<FoundModel> find_models(const CacheRoots& roots) {
  std::vector<FoundModel> found;
  find_in_huggingface(roots.huggingface, found);
  find_in_ollama(roots.ollama, found);
  for (const fs::path& root : roots.lmstudio) find_in_folder("lmstudio", root, found);
  find_in_folder("llama.cpp", roots.llama_cpp, found);
  find_in_folder("data", "data", found);
  for (const fs::path& folder : roots.folders) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
      found.push_back({"folder", folder.string(), folder, "is not a folder that can be read"});
    } else {
      find_in_folder("folder", folder, found);
    }
  }
  std::ranges::stable_sort(found, {}, [](const FoundModel& m) { return std::tie(m.source, m.name); });
  return found;
}

}  // namespace toy::cli

#include "toy/cli/walk.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace toy::cli {

namespace fs = std::filesystem;

namespace {

constexpr int most_depth = 6;
constexpr std::size_t most_entries = 100000;  // of one folder

void walk_folder(const fs::path& folder, const fs::path& inside, int depth,
                 const std::function<void(const WalkedFile&)>& visit) {
  std::string problem;
  for (const std::string& name : entries_of(folder, &problem)) {
    const fs::path path = folder / name;
    std::error_code error;
    const fs::file_status here = fs::symlink_status(path, error);
    if (error) {
      visit({path, "cannot be read: " + error.message()});
    } else if (fs::is_directory(here)) {
      if (depth < most_depth) walk_folder(path, inside, depth + 1, visit);
    } else if (fs::is_symlink(here)) {
      if (fs::is_directory(path, error)) {
        visit({path, "a link to a folder, which is not followed"});
      } else if (!name.ends_with(".gguf")) {
        continue;
      } else if (!fs::exists(path, error)) {
        visit({path, "a link to a file that is missing"});
      } else if (!is_inside(path, inside)) {
        visit({path, "a link out of its folder"});
      } else if (fs::is_regular_file(path, error)) {
        visit({path, {}});
      }
    } else if (fs::is_regular_file(here)) {
      visit({path, {}});
    }
  }
  if (!problem.empty()) visit({folder, problem});
}

/// Where "-00001-of-00003" begins in a name without ".gguf"; npos if it has none.
std::size_t shard_suffix(std::string_view stem) {
  constexpr std::string_view pattern = "-00000-of-00000";
  if (stem.size() <= pattern.size()) return std::string_view::npos;
  const std::size_t at = stem.size() - pattern.size();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = stem[at + i];
    const bool good = pattern[i] == '0' ? c >= '0' && c <= '9' : c == pattern[i];
    if (!good) return std::string_view::npos;
  }
  return at;
}

std::string_view stem_of(std::string_view name) {
  if (name.ends_with(".gguf")) name.remove_suffix(5);
  return name;
}

}  // namespace

void walk(const fs::path& root, const std::function<void(const WalkedFile&)>& visit, const fs::path& inside) {
  std::error_code error;
  if (root.empty() || !fs::exists(root, error)) return;
  walk_folder(root, inside.empty() ? root : inside, 0, visit);
}

std::vector<std::string> entries_of(const fs::path& folder, std::string* problem) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
    if (names.size() == most_entries) break;
  }
  if (error && problem != nullptr) *problem = "cannot be read: " + error.message();
  std::ranges::sort(names);
  return names;
}

bool is_inside(const fs::path& path, const fs::path& root) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) return false;
  const fs::path real_root = fs::canonical(root, error);
  if (error) return false;
  const auto [in_root, in_path] = std::ranges::mismatch(real_root, real);
  return in_root == real_root.end();
}

std::string reason_to_skip(std::string_view name) {
  if (name.ends_with(".gguf.part") || name.ends_with(".gguf.download") || name.ends_with(".incomplete") ||
      name.find("-partial") != std::string_view::npos || name.ends_with(".downloadInProgress")) {
    return "an unfinished download";
  }
  if (name.ends_with(".gguf") && name.starts_with("mmproj")) return "a projector for images, not a language model";
  return {};
}

bool is_later_shard(std::string_view name) {
  const std::string_view stem = stem_of(name);
  const std::size_t at = shard_suffix(stem);
  return at != std::string_view::npos && stem.substr(at + 1, 5) != "00001";
}

std::string without_shard(std::string_view name) {
  const std::string_view stem = stem_of(name);
  return std::string(stem.substr(0, shard_suffix(stem)));
}

}  // namespace toy::cli

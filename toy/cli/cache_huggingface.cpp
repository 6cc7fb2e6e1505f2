// The Hugging Face hub cache: models--ORG--REPO/{refs,blobs,snapshots}.
// https://huggingface.co/docs/hub/local-cache
#include <algorithm>
#include <set>

#include "toy/cli/caches.h"
#include "toy/cli/walk.h"
#include "toy/io/file.h"
#include "toy/tensor/error.h"

namespace toy::cli {

namespace fs = std::filesystem;

namespace {

bool is_commit(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// The first line of a small file; empty if it cannot be read.
std::string first_line(const fs::path& path) {
  constexpr std::uint64_t most = 4096;
  try {
    const std::string text = read_small_file(path, most);
    return text.substr(0, text.find_first_of("\r\n"));
  } catch (const Error&) {
    return {};
  }
}

/// "models--org--repo" -> "org/repo"; empty if it cannot be the folder of a repository.
std::string repository(std::string_view folder) {
  constexpr std::string_view prefix = "models--";
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  if (!folder.starts_with(prefix) || folder.size() > 256) return {};
  folder.remove_prefix(prefix.size());
  if (folder.find_first_not_of(letters) != std::string_view::npos || folder.find("..") != std::string_view::npos) {
    return {};
  }
  std::string name(folder);
  if (const auto at = name.find("--"); at != std::string::npos) name.replace(at, 2, "/");
  return name.empty() || name.front() == '/' || name.back() == '/' ? std::string() : name;
}

/// Snapshots to look at, that of `main` first, then those of other refs, then the rest.
std::vector<std::string> snapshots_of(const fs::path& folder, std::vector<std::string>& problems) {
  std::vector<std::string> commits;
  const auto add = [&](const fs::path& ref) {
    const std::string commit = first_line(ref);
    if (!is_commit(commit)) {
      problems.push_back("refs/" + ref.lexically_relative(folder / "refs").string() + " holds no commit");
    } else if (std::ranges::find(commits, commit) == commits.end()) {
      commits.push_back(commit);
    }
  };
  std::error_code error;
  if (fs::exists(folder / "refs/main", error)) add(folder / "refs/main");
  if (is_inside(folder / "refs", folder)) {
    walk(folder / "refs", [&](const WalkedFile& file) {
      if (file.problem.empty() && file.path != folder / "refs/main") add(file.path);
    });
  }
  for (const std::string& name : entries_of(folder / "snapshots")) {
    if (!name.starts_with('.') && std::ranges::find(commits, name) == commits.end()) commits.push_back(name);
  }
  return commits;
}

void find_in_repository(const fs::path& folder, const std::string& name, std::vector<FoundModel>& found) {
  std::vector<std::string> problems;
  std::set<fs::path> seen;      // one blob may be in two snapshots
  std::set<std::string> names;  // and one name, for two blobs
  LostShards lost;
  for (const std::string& commit : snapshots_of(folder, problems)) {
    const fs::path snapshot = folder / "snapshots" / commit;
    if (!is_inside(snapshot, folder)) {
      std::error_code error;
      if (fs::is_symlink(snapshot, error)) problems.push_back("snapshots/" + commit + " is a link out of its folder");
      continue;
    }
    walk(
        snapshot,
        [&](const WalkedFile& file) {
          const std::string leaf = file.path.filename().string();
          if (!leaf.ends_with(".gguf") && file.problem.empty()) return;
          std::string reason = file.problem;
          if (reason.empty() && is_later_shard(leaf)) {
            reason = lost.reason(file.path);
            if (reason.empty()) return;
          }
          std::error_code error;
          const fs::path real = fs::canonical(file.path, error);
          if (!error && !seen.insert(real).second) return;
          std::string shown = name + "/" + without_shard(file.path.lexically_relative(snapshot).string());
          if (!names.insert(shown).second) shown += "@" + commit.substr(0, 7);
          found.push_back({"huggingface", shown, file.path, reason.empty() ? reason_to_skip(leaf) : reason});
        },
        folder);
  }
  for (const std::string& problem : problems) found.push_back({"huggingface", name, folder, problem});
  for (const std::string& blob : entries_of(folder / "blobs")) {
    if (blob.ends_with(".incomplete")) {
      found.push_back({"huggingface", name, folder / "blobs" / blob, reason_to_skip(blob)});
    }
  }
}

}  // namespace

void find_in_huggingface(const fs::path& root, std::vector<FoundModel>& found) {
  std::error_code error;
  if (root.empty() || !fs::exists(root, error)) return;
  std::string problem;
  for (const std::string& entry : entries_of(root, &problem)) {
    if (!entry.starts_with("models--")) continue;
    const std::string name = repository(entry);
    if (name.empty()) {
      found.push_back({"huggingface", entry, root / entry, "is not the name of a repository"});
    } else if (fs::is_symlink(root / entry, error) && !is_inside(root / entry, root)) {
      found.push_back({"huggingface", name, root / entry, "a link out of its folder"});
    } else {
      find_in_repository(root / entry, name, found);
    }
  }
  if (!problem.empty()) found.push_back({"huggingface", root.string(), root, problem});
}

}  // namespace toy::cli

#include "toy/cli/walk.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace toy::cli {

namespace fs = std::filesystem;

namespace {

constexpr int most_depth = 6;
constexpr std::size_t most_entries = 100000;  // of one folder

/// True if `path` is `folder` or lies below it; both without links.
bool is_below(const fs::path& path, const fs::path& folder) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

class Walk {
 public:
  Walk(const fs::path& root, fs::path inside, Links links, const std::function<void(const WalkedFile&)>& visit)
      : inside_(std::move(inside)), links_(links), visit_(&visit) {
    std::error_code unknown;  // then no link is compared with it
    root_ = fs::canonical(root, unknown);
  }

  void folder(const fs::path& folder, int depth, const fs::path& behind) {
    std::string problem;
    for (const std::string& name : entries_of(folder, &problem)) {
      const fs::path path = folder / name;
      std::error_code error;
      const fs::file_status here = fs::symlink_status(path, error);
      if (error) {
        (*visit_)({path, "cannot be read: " + error.message()});
      } else if (fs::is_directory(here)) {
        if (depth < most_depth) this->folder(path, depth + 1, behind);
      } else if (fs::is_symlink(here)) {
        link(path, depth, behind);
      } else if (fs::is_regular_file(here)) {
        (*visit_)({path, {}, behind.empty() ? fs::path() : fs::canonical(path, error)});
      }
    }
    if (!problem.empty()) (*visit_)({folder, problem});
  }

 private:
  void link(const fs::path& path, int depth, const fs::path& behind) {
    std::error_code error;
    if (fs::is_directory(path, error)) return linked_folder(path, depth, behind);
    if (!path.filename().string().ends_with(".gguf")) return;
    if (!fs::exists(path, error)) return (*visit_)({path, "a link to a file that is missing"});
    const bool within = is_inside(path, inside_);
    // Behind a link a further one counts as long as it stays in that folder.
    const bool allowed = within || (links_ == Links::one_level && (behind.empty() || is_inside(path, behind)));
    if (!allowed) return (*visit_)({path, "a link out of its folder"});
    if (fs::is_regular_file(path, error)) (*visit_)({path, {}, within ? fs::path() : fs::canonical(path, error)});
  }

  void linked_folder(const fs::path& path, int depth, const fs::path& behind) {
    if (links_ == Links::inside) return (*visit_)({path, "a link to a folder, which is not followed"});
    if (!behind.empty()) return (*visit_)({path, "a link to a folder behind a link, which is not followed"});
    std::error_code error;
    const fs::path target = fs::canonical(path, error);
    if (error) return (*visit_)({path, "cannot be read: " + error.message()});
    if (is_below(target, root_)) return (*visit_)({path, "a link to a folder that is looked into anyway"});
    if (is_below(root_, target)) return (*visit_)({path, "a link to a folder that holds this one, not followed"});
    const auto same = std::ranges::find_if(entered_, [&](const auto& e) { return is_below(target, e.second); });
    if (same != entered_.end()) {
      return (*visit_)(
          {path, "a link to " + target.string() + ", as " + same->first.filename().string() + ", which was followed"});
    }
    entered_.emplace_back(path, target);
    if (depth < most_depth) folder(path, depth + 1, target);
  }

  fs::path root_, inside_;
  Links links_;
  const std::function<void(const WalkedFile&)>* visit_;
  std::vector<std::pair<fs::path, fs::path>> entered_;  // links and where they lead
};

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

void walk(const fs::path& root, const std::function<void(const WalkedFile&)>& visit, const fs::path& inside,
          Links links) {
  std::error_code error;
  if (root.empty() || !fs::exists(root, error)) return;
  Walk(root, inside.empty() ? root : inside, links, visit).folder(root, 0, {});
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

namespace {

/// "sha256-<64 hexadecimal digits>-partial" and what may follow: what Ollama has not downloaded whole.
bool is_partial_blob(std::string_view name) {
  constexpr std::string_view prefix = "sha256-", suffix = "-partial";
  constexpr std::size_t digits = 64;
  if (!name.starts_with(prefix) || name.size() < prefix.size() + digits) return false;
  const std::string_view digest = name.substr(prefix.size(), digits), rest = name.substr(prefix.size() + digits);
  return digest.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos && rest.starts_with(suffix);
}

}  // namespace

std::string reason_to_skip(std::string_view name) {
  if (name.ends_with(".gguf.part") || name.ends_with(".gguf.download") || name.ends_with(".incomplete") ||
      is_partial_blob(name) || name.ends_with(".downloadInProgress")) {
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

std::string first_shard(std::string_view name) {
  const std::string_view stem = stem_of(name);
  const std::size_t at = shard_suffix(stem);
  return std::string(stem.substr(0, at)) + "-00001" + std::string(stem.substr(at + 6)) + ".gguf";
}

std::string without_shard(std::string_view name) {
  const std::string_view stem = stem_of(name);
  return std::string(stem.substr(0, shard_suffix(stem)));
}

}  // namespace toy::cli

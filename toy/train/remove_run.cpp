#include "toy/train/remove_run.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "toy/io/events.h"
#include "toy/io/file.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/train/run.h"

namespace toy {

namespace {

namespace fs = std::filesystem;

/// A folder that was opened without following a link in its last name.
class OpenFolder {
 public:
  OpenFolder(int above, const std::string& name, fs::path path) : path_(std::move(path)) {
    const int opened = ::openat(above, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0 && (errno == ELOOP || errno == ENOTDIR)) fail("{}: is a link or a file, no folder", shown(path_));
    if (opened < 0) fail("{}: {}", shown(path_), std::strerror(errno));
    folder_.reset(::fdopendir(opened));
    if (folder_ == nullptr) {
      ::close(opened);
      fail("{}: cannot be read", shown(path_));
    }
  }
  int descriptor() const { return ::dirfd(folder_.get()); }
  const fs::path& path() const { return path_; }

  /// Names of its entries, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    ::rewinddir(folder_.get());
    while (const dirent* entry = ::readdir(folder_.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") all.emplace_back(name);
    }
    std::ranges::sort(all);
    return all;
  }
  struct stat status(const std::string& name) const {
    struct stat found {};
    if (::fstatat(descriptor(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
      fail("{}: {}", shown(path_ / name), std::strerror(errno));
    }
    return found;
  }
  void remove(const std::string& name, bool folder) const {
    if (::unlinkat(descriptor(), name.c_str(), folder ? AT_REMOVEDIR : 0) == 0) return;
    fail("{}: cannot be removed: {}", shown(path_ / name), std::strerror(errno));
  }

 private:
  struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  std::unique_ptr<DIR, Close> folder_;
  fs::path path_;
};

/// The folders of a run; "" is its own.
constexpr std::array parts{"state", "weights", "data", ""};

/// True for the names of files that a run makes in one of its folders.
bool is_of_a_run(std::string_view part, const std::string& name) {
  if (is_temporary(name)) return true;
  const std::string_view whole = std::string_view(name).substr(0, name.find(".damaged"));
  if (part.empty()) return whole == log_file || name == config_file || name == "flow.json";
  if (part == "data") return name == fs::path(tokens_file).filename();
  return checkpoint_step(whole).has_value();
}

struct Entry {
  std::string part, name;
  std::uint64_t bytes = 0;
};

/// The folder above a run, and the run's name in it.
std::pair<fs::path, std::string> place_of(const fs::path& folder) {
  fs::path path = folder.has_filename() ? folder : folder.parent_path();
  if (path.filename() == "." || path.filename() == "..") path = fs::canonical(path);
  return {path.has_parent_path() ? path.parent_path() : fs::path("."), path.filename().string()};
}

std::vector<Entry> entries_of(const OpenFolder& run) {
  std::vector<Entry> all;
  const auto add = [&](const OpenFolder& folder, const std::string& part) {
    for (const std::string& name : folder.names()) {
      const struct stat found = folder.status(name);
      const bool known_folder = part.empty() && std::ranges::find(parts, name) != parts.end();
      if (known_folder && S_ISDIR(found.st_mode)) continue;
      if (!S_ISREG(found.st_mode) || !is_of_a_run(part, name)) {
        fail("{}: is nothing that a run makes; remove it first, if it may go", shown(folder.path() / name));
      }
      all.push_back({part, name, static_cast<std::uint64_t>(found.st_size)});
    }
  };
  for (const std::string part : parts) {
    if (part.empty()) {
      add(run, part);
      continue;
    }
    const auto names = run.names();
    if (std::ranges::find(names, part) == names.end()) continue;
    add(OpenFolder(run.descriptor(), part, run.path() / part), part);
  }
  const bool is_run = std::ranges::any_of(
      all, [](const Entry& e) { return e.part.empty() && (e.name == log_file || e.name == config_file); });
  if (!is_run) fail("{}: is no run: there is no {} in it", shown(run.path()), log_file);
  if (is_being_written(run.path() / log_file)) fail("{}: is being trained by another program", shown(run.path()));
  return all;
}

}  // namespace

RemovableRun removable_run(const fs::path& folder) {
  const auto [above, name] = place_of(folder);
  const OpenFolder run(AT_FDCWD, (above / name).string(), folder);
  RemovableRun found{folder, 0, 0};
  for (const Entry& entry : entries_of(run)) {
    found.bytes += entry.bytes;
    ++found.files;
  }
  return found;
}

void remove_run(const fs::path& folder) {
  const auto [above, name] = place_of(folder);
  const OpenFolder run(AT_FDCWD, (above / name).string(), folder);
  const std::vector<Entry> entries = entries_of(run);
  // The log and the configuration go last: until then the rest is still known to be a run.
  for (const std::string part : parts) {
    const bool any = part.empty() || ::faccessat(run.descriptor(), part.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!any) continue;
    {
      const OpenFolder inner(run.descriptor(), part.empty() ? "." : part, run.path() / part);
      for (const Entry& entry : entries) {
        if (entry.part == part) inner.remove(entry.name, false);
      }
    }
    if (!part.empty()) run.remove(part, true);
  }
  if (::rmdir((above / name).c_str()) != 0) fail("{}: cannot be removed: {}", shown(folder), std::strerror(errno));
}

}  // namespace toy

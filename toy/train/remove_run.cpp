#include "toy/train/remove_run.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "toy/io/events.h"
#include "toy/io/file.h"
#include "toy/io/folder.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/train/run.h"

namespace toy {

namespace {

namespace fs = std::filesystem;

/// The folder of that name. Errors: there is none, or it is a link or a file.
Folder folder_in(const Folder& above, const std::string& name) {
  const auto found = above.status(name);
  if (found && !S_ISDIR(found->st_mode)) fail("{}: is a link or a file, no folder", shown(above.path() / name));
  return above.below(name);
}

[[noreturn]] void cannot_remove(const fs::path& path) {
  fail("{}: cannot be removed: {}", shown(path), std::strerror(errno));
}

/// Removes an empty folder.
void remove_folder(const Folder& above, const std::string& name) {
  if (::unlinkat(above.descriptor(), name.c_str(), AT_REMOVEDIR) != 0) cannot_remove(above.path() / name);
}

/// The folders of a run; "" is its own.
constexpr std::array parts{"state", "weights", "data", ""};

/// True for the names of files that a run makes in one of its folders.
bool is_of_a_run(std::string_view part, const std::string& name) {
  if (is_temporary(name)) return true;
  const std::string_view whole = std::string_view(name).substr(0, name.find(".damaged"));
  if (part.empty()) return whole == log_file || name == config_file || name == flow_file;
  if (part == "data") return name == fs::path(tokens_file).filename();
  return checkpoint_step(whole).has_value();
}

struct Entry {
  std::string part, name;
  std::uint64_t bytes = 0;
};

/// The folder above a run, and the run's name in it.
std::pair<Folder, std::string> place_of(const fs::path& folder) {
  fs::path path = folder.has_filename() ? folder : folder.parent_path();
  if (path.filename() == "." || path.filename() == "..") path = fs::canonical(path);
  return {path.parent_path(), path.filename().string()};
}

std::vector<Entry> entries_of(const Folder& run) {
  std::vector<Entry> all;
  const auto add = [&](const Folder& folder, const std::string& part) {
    for (const std::string& name : folder.names()) {
      const auto found = folder.status(name);
      if (!found) continue;  // gone since it was listed
      const bool known_folder = part.empty() && std::ranges::find(parts, name) != parts.end();
      if (known_folder && S_ISDIR(found->st_mode)) continue;
      if (!S_ISREG(found->st_mode) || !is_of_a_run(part, name)) {
        fail("{}: is nothing that a run makes; remove it yourself first if you do not need it",
             shown(folder.path() / name));
      }
      all.push_back({part, name, static_cast<std::uint64_t>(found->st_size)});
    }
  };
  for (const std::string part : parts) {
    if (part.empty()) {
      add(run, part);
      continue;
    }
    if (run.has(part)) add(folder_in(run, part), part);
  }
  const bool is_run = std::ranges::any_of(
      all, [](const Entry& e) { return e.part.empty() && (e.name == log_file || e.name == config_file); });
  if (!is_run) fail("{}: is no run: there is no {} in it", shown(run.path()), log_file);
  if (is_being_written(run / log_file)) fail("{}: is being trained by another program", shown(run.path()));
  return all;
}

}  // namespace

RemovableRun removable_run(const fs::path& folder) {
  const auto [above, name] = place_of(folder);
  RemovableRun found{folder, 0};
  for (const Entry& entry : entries_of(folder_in(above, name))) found.bytes += entry.bytes;
  return found;
}

void remove_run(const fs::path& folder) {
  const auto [above, name] = place_of(folder);
  const Folder run = folder_in(above, name);
  const std::vector<Entry> entries = entries_of(run);
  // The log and the configuration go last: until then the rest is still known to be a run.
  for (const std::string part : parts) {
    if (!part.empty() && !run.has(part)) continue;
    const Folder inner = part.empty() ? run : folder_in(run, part);
    for (const Entry& entry : entries) {
      if (entry.part == part && !inner.remove(entry.name)) cannot_remove(inner.path() / entry.name);
    }
    if (!part.empty()) remove_folder(run, part);
  }
  remove_folder(above, name);
}

}  // namespace toy

#include "toy/cli/run_folder.h"

#include <fmt/chrono.h>

#include <ctime>

#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/train/run_log.h"

namespace toy::cli {

namespace {

namespace fs = std::filesystem;

/// The path and those above it, the deepest first; "a/" is "a".
std::vector<fs::path> and_above(fs::path path) {
  std::vector<fs::path> all;
  if (!path.has_filename()) path = path.parent_path();
  for (; !path.empty(); path = path.parent_path()) {
    all.push_back(path);
    if (path == path.parent_path()) break;
  }
  return all;
}

}  // namespace

void check_out(const fs::path& out) {
  std::error_code unknown;
  for (const fs::path& path : and_above(out)) {
    const bool there = fs::exists(fs::symlink_status(path, unknown));
    if (!there || fs::is_directory(path, unknown)) continue;
    const bool link = fs::is_symlink(path, unknown) && !fs::exists(path, unknown);
    refuse("--out: {} exists and is {}", shown(path), link ? "a link to nothing" : "no folder");
  }
}

NewRunFolder::NewRunFolder(const fs::path& out, std::string_view arch, const std::optional<std::string>& name) {
  check_out(out);
  std::error_code unknown;
  for (const fs::path& path : and_above(out)) {
    if (!fs::exists(path, unknown)) made_.push_back(path);
  }
  path_ = name ? new_named_run_folder(out, *name)
               : new_run_folder(out, arch, fmt::format("{:%Y%m%d}", fmt::gmtime(std::time(nullptr))));
}

NewRunFolder::~NewRunFolder() {
  if (kept_) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  for (const fs::path& path : made_) fs::remove(path, ignored);  // only if nobody else has put anything there
}

}  // namespace toy::cli

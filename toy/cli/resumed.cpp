#include "toy/cli/resumed.h"

#include "toy/cli/format.h"
#include "toy/cli/model_options.h"
#include "toy/cli/run_folder.h"
#include "toy/cli/train_settings.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/train/branch.h"
#include "toy/train/run_log.h"

namespace toy::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* expected = "expected runs/ID, or step-N of its weights or state";

/// The path with a name at its end: not "runs/ID/", ".".
fs::path with_name(fs::path path) {
  if (!path.has_filename()) path = path.parent_path();
  if (path.filename() != "." && path.filename() != "..") return path;
  std::error_code unknown;
  const fs::path whole = fs::canonical(path, unknown);
  return unknown ? path : whole;
}

bool is_run(const fs::path& folder) {
  std::error_code unknown;
  return fs::exists(folder / config_file, unknown) || fs::exists(folder / log_file, unknown) ||
         fs::exists(folder / "state", unknown);
}

void change(const Arguments& a, RunConfig& config) {
  change_config(a, config);
  if (const auto threads = a.integer("--threads")) config.threads = static_cast<int>(*threads);
}

Run resume_in(const Arguments& a, const fs::path& folder, Device& device) {
  return Run::resume(folder, device, [&](RunConfig& config) { change(a, config); });
}

/// A new run that begins at an older checkpoint.
Run branch(const Arguments& a, const Resumed& from, std::int64_t newest, Device& device, const Console& console) {
  try {
    (void)open_checkpoint(from.folder, *from.step);
  } catch (const Error& error) {
    fail("{}; --resume {} goes on after step {}", error.what(), shell_word(from.folder.string()), newest);
  }
  const fs::path beside = from.folder.has_parent_path() ? from.folder.parent_path() : fs::path(".");
  const std::string arch = read_config(from.folder).recipe.model.arch;
  NewRunFolder made(a.has("--out") ? fs::path(*a.text("--out")) : beside, arch);
  branch_run(from.folder, *from.step, made.path());
  Run run = resume_in(a, made.path(), device);
  made.keep();
  console.note(
      "note: step {} is not the newest of {}, which is {} and stays: from here on this is a run of its own, {}",
      *from.step, shown(from.folder), newest, shown(made.path()));
  return run;
}

}  // namespace

Resumed resumed_of(const Arguments& a) {
  const fs::path named = *a.text("--resume");
  std::error_code unknown;  // find_run says what is wrong with a path
  const fs::path whole = fs::absolute(named, unknown);
  if (unknown || !fs::is_regular_file(named, unknown)) {
    const fs::path folder = with_name(find_run(*a.text("--out"), named.string()));
    if (is_run(folder)) return {folder};
    const fs::path above = folder.parent_path();
    refuse("--resume: {} is no run: there is no {} in it; {}", shown(folder), config_file,
           is_run(above) ? "the run is " + shown(above) : expected);
  }
  const fs::path run = named.parent_path().parent_path(), whole_run = whole.parent_path().parent_path();
  const std::string part = whole.parent_path().filename().string();
  const auto step = checkpoint_step(named);
  if (!step || (part != "weights" && part != "state")) {
    refuse("--resume: {} is no file of a run; {}", shown(named), expected);
  }
  return {with_name(run.empty() ? whole_run : run), step};
}

CpuOptions resumed_cpu_options(const Arguments& a, const Resumed& resumed) {
  CpuOptions options = cpu_options(a);
  if (a.has("--threads")) return options;
  constexpr int most = 1024;
  options.threads = read_config(resumed.folder).threads;
  if (options.threads < 0 || options.threads > most) {
    fail("{}: threads: expected 0 to {}, found {}", shown(resumed.folder / config_file), most, options.threads);
  }
  return options;
}

Run resume_run(const Arguments& a, const Resumed& resumed, Device& device, const Console& console) {
  const auto start = [&] {
    if (!resumed.step) return resume_in(a, resumed.folder, device);
    const std::int64_t newest = newest_checkpoint(resumed.folder).checkpoint.step;
    return *resumed.step == newest ? resume_in(a, resumed.folder, device) : branch(a, resumed, newest, device, console);
  };
  Run run = start();
  console.note("{} goes on after step {}", run.id(), run.training().steps());
  return run;
}

}  // namespace toy::cli

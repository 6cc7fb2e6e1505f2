#include "toy/cli/resumed.h"

#include <fmt/ranges.h>

#include <algorithm>

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

bool lies_in(const fs::path& run, const fs::path& folder) {
  return run.lexically_normal().parent_path() == (folder / "run").lexically_normal().parent_path();
}

/// Errors: a run that has nothing to go on with.
Resumed with_configuration(Resumed resumed) {
  std::error_code unknown;  // reading it will say
  const fs::path& folder = resumed.folder;
  if (fs::exists(folder / config_file, unknown) || fs::exists(folder / "state", unknown)) return resumed;
  if (fs::file_size(folder / log_file, unknown) > 0 || fs::exists(folder / "weights", unknown)) return resumed;
  if (is_being_written(Folder(folder) / log_file))
    fail("--resume: {} is being prepared by another program", shown(folder));
  fail("--resume: {} ended before its first step, and nothing of it was kept; begin anew", shown(folder));
}

void change(const Arguments& a, const CpuDevice& device, RunConfig& config) {
  change_config(a, config);
  config.simd = device.simd_level();
  if (const auto threads = a.integer("--threads")) config.threads = static_cast<int>(*threads);
}

Run resume_in(const Arguments& a, const fs::path& folder, CpuDevice& device) {
  return Run::resume(folder, device, [&](RunConfig& config) { change(a, device, config); });
}

/// A new run that begins at an older checkpoint.
Run branch(const Arguments& a, const Resumed& from, std::int64_t newest, CpuDevice& device, const Console& console) {
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
    const fs::path relative = named.parent_path().parent_path(), absolute = whole.parent_path().parent_path();
    const fs::path& owner = relative.empty() ? absolute : relative;
    if (checkpoint_step(named) && is_run(owner) && !fs::exists(named, unknown)) {
      const auto steps = checkpoint_steps(owner);
      if (steps.empty()) fail("--resume: {} is not there; {} has no checkpoint", shown(named), shown(owner));
      fail("--resume: {} is not there; {} has checkpoints of these steps: {}", shown(named), shown(owner),
           fmt::join(steps, ", "));
    }
    const fs::path folder = with_name(find_run(*a.text("--out"), named.string()));
    if (is_run(folder)) return with_configuration({folder});
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
  const RunConfig config = read_config(resumed.folder);
  const auto levels = cpu_levels();
  if (!a.has("--simd") && std::ranges::find(levels, config.simd) != levels.end()) options.simd_level = config.simd;
  if (a.has("--threads")) return options;
  constexpr int most = 1024;
  options.threads = config.threads;
  if (options.threads < 0 || options.threads > most) {
    fail("{}: threads: expected 0 to {}, found {}", shown(resumed.folder / config_file), most, options.threads);
  }
  return options;
}

Run resume_run(const Arguments& a, const Resumed& resumed, CpuDevice& device, const Console& console) {
  const auto start = [&] {
    if (resumed.step) {
      const std::int64_t newest = newest_checkpoint(resumed.folder).checkpoint.step;
      if (*resumed.step != newest) return branch(a, resumed, newest, device, console);
    }
    Run run = resume_in(a, resumed.folder, device);
    if (a.has("--out") && !lies_in(resumed.folder, *a.text("--out"))) {
      console.note("note: --out is for a new run; this one goes on where it is");
    }
    return run;
  };
  const std::string before = read_config(resumed.folder).simd;
  Run run = start();
  console.note("{} goes on after step {}", run.id(), run.training().steps());
  const std::string_view now = device.simd_level(), best = cpu_levels().front();
  if (!before.empty() && now != before) {
    console.note("note: it was trained at SIMD level {}; at {} it does not end with the same bytes", before, now);
  } else if (now != best && !a.has("--simd")) {
    console.note("note: at SIMD level {}, as before, for the same bytes; --simd {} may be faster", now, best);
  }
  return run;
}

}  // namespace toy::cli

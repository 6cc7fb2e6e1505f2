// What MODEL names: a file, a run, or a model that toy list shows.
#include <fmt/ranges.h>

#include <algorithm>

#include "toy/cli/caches.h"
#include "toy/cli/embedded_model.h"
#include "toy/cli/model_options.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/train/checkpoint.h"
#include "toy/train/run.h"
#include "toy/train/run_log.h"

namespace toy::cli {

namespace {

namespace fs = std::filesystem;

bool is_run(const fs::path& folder) {
  std::error_code unknown;
  return fs::exists(folder / log_file, unknown) || fs::exists(folder / config_file, unknown) ||
         !checkpoint_steps(folder).empty();
}

/// The newest model of a run. Errors: it has none yet.
ModelPath model_of_run(const fs::path& folder, const Console& console) {
  const auto steps = checkpoint_steps(folder);
  if (steps.empty()) fail("{}: is a run without a checkpoint: it has no model yet", shown(folder));
  const fs::path model = folder / weights_path(steps.back());
  console.note("note: {} is a run; its newest model is {}", shown(folder), shown(model));
  return {model};
}

/// Says where the model is whose training's state was named.
void refuse_state_of_a_training(const fs::path& path) {
  std::error_code unknown;
  const fs::path part = path.has_parent_path() ? path.parent_path() : fs::current_path(unknown);
  const fs::path model = part.parent_path() / "weights" / path.stem().concat(".gguf");
  if (part.filename() != "state" || !fs::exists(model, unknown)) return;
  refuse("{}: is the state of a training; the model of that step is {}", shown(path), shown(model));
}

/// "library/model:tag" is also called "model:tag", and "org/repo/file" also "file"; ":latest" may be left out.
bool is_named(std::string_view name, std::string_view wanted) {
  constexpr std::string_view latest = ":latest";
  const auto fits = [&](std::string_view whole) {
    return whole == wanted || (whole.ends_with(wanted) && whole[whole.size() - wanted.size() - 1] == '/');
  };
  return fits(name) || (name.ends_with(latest) && fits(name.substr(0, name.size() - latest.size())));
}

/// The models of that name which `list` shows, each file once.
std::vector<FoundModel> models_named(const std::string& wanted) {
  std::vector<FoundModel> models;
  for (FoundModel& found : find_models(cache_roots({}))) {
    if (!found.skipped.empty() || !is_named(found.name, wanted)) continue;
    const bool known = std::ranges::any_of(models, [&](const FoundModel& other) {
      std::error_code unknown;
      return other.path == found.path || fs::equivalent(other.path, found.path, unknown);
    });
    if (!known) models.push_back(std::move(found));
  }
  return models;
}

}  // namespace

Positional model_positional() {
  return {"MODEL", "a GGUF file, a model that toy list shows or a run, by name; without it a small built-in one",
          false};
}

ModelPath find_model(const Arguments& arguments, const Console& console) {
  if (arguments.positionals().empty()) {
    console.note("no MODEL given: this is the built-in one, which tells small stories");
    return {embedded_model_path(), "built-in"};
  }
  const std::string& wanted = arguments.positional(0);
  const fs::path path = wanted;
  std::error_code error;
  if (fs::is_directory(path, error) && is_run(path)) {
    return model_of_run(path.has_filename() ? path : path.parent_path(), console);
  }
  refuse_state_of_a_training(path);
  if (fs::exists(fs::symlink_status(path, error)) || wanted.ends_with(".gguf")) return {path};
  const std::vector<FoundModel> models = models_named(wanted);
  if (models.size() > 1) {
    std::vector<std::string> names;
    for (const FoundModel& model : models) names.push_back(model.name);
    refuse("{} may be any of {}; give its path", in_quotes(wanted), fmt::join(names, ", "));
  }
  if (models.size() == 1) {
    console.note("{} is {}", wanted, models.front().path.string());
    if (!models.front().note.empty()) console.note("note: {}: {}", wanted, models.front().note);
    return {models.front().path};
  }
  const auto run = run_by_part(default_runs, wanted);
  if (run) return model_of_run(*run, console);
  fail("{}: no such file, and no model or run has this name (toy list and toy runs show them)", shown(path));
}

}  // namespace toy::cli

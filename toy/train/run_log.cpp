#include "toy/train/run_log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include "toy/io/file.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/train/run.h"

namespace toy {

namespace fs = std::filesystem;

std::string_view name(RunState state) {
  constexpr std::array<std::string_view, 6> names = {"running", "completed", "interrupted",
                                                     "aborted", "errored",   "crashed"};
  return names[static_cast<std::size_t>(state)];
}

namespace {

double number(const Event& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::uint64_t count(const Event& event, const char* key) {
  const auto found = event.find(key);
  if (found == event.end() || !found->is_number_integer() || found->get<double>() < 0) return 0;
  return found->get<std::uint64_t>();
}

std::string text(const Event& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_string() ? found->get<std::string>() : "";
}

RunState ended(const Event& end) {
  for (const RunState state : {RunState::completed, RunState::interrupted, RunState::aborted}) {
    if (text(end, "reason") == name(state)) return state;
  }
  return RunState::errored;
}

/// What config.json says; what run_start said, if it cannot be read.
Event config_of(const Folder& folder, const Event& start) {
  try {
    return Event::parse(config_text(read_config(folder)));
  } catch (const Error&) {
    return start.value("config", Event::object());
  }
}

/// The names in a folder; none if it is missing.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) fail("{}: {}", shown(folder), error.message());
  std::ranges::sort(names);
  return names;
}

}  // namespace

RunLog RunLog::read(const fs::path& folder) {
  RunLog run;
  run.folder_ = folder;
  const Folder opened = folder;
  const Place log = opened / log_file;
  const fs::path path = folder / log_file;
  run.id_ = run_name(folder);
  // Asked first: a run that ends in between has its last event on disk before the lock is gone.
  const bool running = is_being_written(log);
  run.skipped_lines_ =
      for_each_event(log, [&](const Event& event, std::uint64_t /*line*/) { run.add(event); }).skipped_lines;
  if (run.start_.is_null() && running) fail("{}: the run is being prepared: its log has not begun", shown(path));
  if (run.start_.is_null()) fail("{}: there is no run_start of toy/v1 in it", shown(path));
  run.config_ = config_of(opened, run.start_);
  run.state_ = !run.end_.is_null() ? ended(run.end_) : running ? RunState::running : RunState::crashed;
  return run;
}

void RunLog::add(const Event& event) {
  const auto& kind = event.at("kind").get_ref<const std::string&>();
  if (const double t = number(event, "t"); t > wall_seconds_) wall_seconds_ = t;
  if (kind == "run_start") {
    if (start_.is_null() && text(event, "schema") == "toy/v1") start_ = event;
  } else if (kind == "run_end") {
    end_ = event;
  } else if (kind == "step" && event.value("phase", Event()) != "decode") {
    steps_.push_back({.step = count(event, "step"),
                      .tokens = count(event, "tokens"),
                      .loss = number(event, "loss"),
                      .lr = number(event, "lr"),
                      .grad_norm = number(event, "grad_norm"),
                      .wall_us = number(event, "wall_us")});
  } else if (kind == "eval" && text(event, "name") != "request") {
    evals_.push_back({count(event, "step"), text(event, "name"), number(event, "loss")});
  } else if (kind == "sample") {
    samples_.push_back({count(event, "step"), text(event, "prompt"), text(event, "text")});
  } else if (kind == "note") {
    notes_.push_back(text(event, "text"));
  }
}

std::string RunLog::error() const { return end_.is_null() ? "" : text(end_, "error"); }

std::string RunLog::fact(const std::string& pointer) const {
  const Event::json_pointer path(pointer);
  if (!start_.contains(path)) return "";
  const Event& value = start_.at(path);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::vector<double> RunLog::losses() const {
  std::vector<double> all;
  for (const StepRecord& s : steps_) all.push_back(s.loss);
  return all;
}

std::optional<double> RunLog::last_loss() const {
  return steps_.empty() ? std::nullopt : std::optional(steps_.back().loss);
}

std::optional<double> RunLog::loss_at(std::uint64_t step) const {
  const auto found = std::ranges::find(steps_, step, &StepRecord::step);
  return found == steps_.end() ? std::nullopt : std::optional(found->loss);
}

std::optional<EvalRecord> RunLog::best_eval() const {
  std::optional<EvalRecord> best;
  for (const EvalRecord& e : evals_) {
    if (!std::isnan(e.loss) && (!best || e.loss < best->loss)) best = e;
  }
  return best;
}

std::uint64_t RunLog::tokens() const {
  std::uint64_t sum = 0;
  for (const StepRecord& s : steps_) sum += s.tokens;
  return sum;
}

std::optional<double> RunLog::tokens_per_second() const {
  double microseconds = 0;
  for (const StepRecord& s : steps_) microseconds += s.wall_us;
  if (!(microseconds > 0)) return std::nullopt;
  return 1e6 * static_cast<double>(tokens()) / microseconds;
}

RunList list_runs(const fs::path& runs) {
  RunList list;
  for (const std::string& name : names_in(runs)) {
    std::error_code ignored;
    if (name.starts_with('.') || !fs::is_directory(runs / name, ignored)) continue;
    try {
      list.runs.push_back(RunLog::read(runs / name));
    } catch (const Error& error) {
      list.skipped.push_back({runs / name, error.what()});
    }
  }
  std::ranges::sort(list.runs, std::ranges::greater(),
                    [](const RunLog& run) { return std::pair(run.fact("/started_at"), run.id()); });
  return list;
}

namespace {

/// The one of several runs that `name` may mean. Errors: there are several.
std::optional<fs::path> only_one(const fs::path& runs, const std::vector<std::string>& fitting, const std::string& name,
                                 std::string_view relation) {
  if (fitting.empty()) return std::nullopt;
  if (fitting.size() == 1) return runs / fitting.front();
  fail("{} {} the names of {} runs in {}, among them {} and {}: give more of it", in_quotes(name), relation,
       fitting.size(), shown(runs), in_quotes(fitting.front()), in_quotes(fitting.back()));
}

}  // namespace

std::optional<fs::path> run_by_part(const fs::path& runs, const std::string& name) {
  std::error_code ignored;
  if (name.empty() || name.find('/') != std::string::npos) return std::nullopt;
  if (fs::is_directory(runs / name, ignored)) return runs / name;
  if (name == "last") {
    const RunList list = list_runs(runs);
    return list.runs.empty() ? std::nullopt : std::optional(list.runs.front().folder());
  }
  std::vector<std::string> beginning, containing;
  for (const std::string& run : names_in(runs)) {
    if (run.starts_with('.') || run.find(name) == std::string::npos || !fs::is_directory(runs / run, ignored)) continue;
    (run.starts_with(name) ? beginning : containing).push_back(run);
  }
  if (!beginning.empty()) return only_one(runs, beginning, name, "begins");
  return only_one(runs, containing, name, "is in");
}

fs::path find_run(const fs::path& runs, const std::string& name) {
  std::error_code ignored;
  const bool is_path = name == "." || name == ".." || name.find('/') != std::string::npos;
  if (is_path && fs::is_directory(name, ignored)) return name;
  if (!name.empty() && fs::is_directory(runs / name, ignored)) return runs / name;
  if (const auto run = run_by_part(runs, name)) return *run;
  std::error_code error;
  if (!name.empty() && fs::is_directory(name, error)) return name;
  const bool missing = error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
  if (error && !missing && !name.empty()) fail("{}: {}", shown(name), error.message());
  if (name == "last") fail("there is no run in {} yet", shown(runs));
  fail("there is no run {} in {}; toy runs lists them", in_quotes(name), shown(runs));
}

void check_run_name(const fs::path& runs, std::string_view name) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  };
  constexpr std::size_t most = 100;
  const bool good = !name.empty() && name.size() <= most && name[0] != '.' && name[0] != '-' && name != "last" &&
                    std::ranges::all_of(name, plain);
  if (!good) {
    refuse(
        "{}: expected a name of at most {} letters, digits, -, _ and ., which begins with a letter, digit or _ and "
        "is not last",
        in_quotes(name), most);
  }
  if (is_taken(runs / name)) refuse("{}: there is a run or file of this name already", shown(runs / name));
}

fs::path new_named_run_folder(const fs::path& runs, std::string_view name) {
  check_run_name(runs, name);
  std::error_code error;
  fs::create_directories(runs, error);
  if (error) fail("{}: cannot make the folder of runs: {}", shown(runs), error.message());
  fs::path folder = runs / name;
  if (::mkdir(folder.c_str(), 0777) == 0) return folder;
  fail("{}: cannot make the folder: {}", shown(folder), std::strerror(errno));
}

fs::path new_run_folder(const fs::path& runs, std::string_view arch, std::string_view date) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; };
  if (arch.empty() || !std::ranges::all_of(arch, plain)) {
    refuse("{}: expected a name of letters, digits, - and _ for a run's folder", in_quotes(arch));
  }
  std::error_code error;
  fs::create_directories(runs, error);
  if (error) fail("{}: cannot make the folder of runs: {}", shown(runs), error.message());

  const std::string prefix = fmt::format("{}-{}-", arch, date);
  constexpr std::int64_t most = 1'000'000'000;
  std::int64_t number = 0;
  for (const std::string& name : names_in(runs)) {
    std::int64_t taken = 0;
    if (!name.starts_with(prefix)) continue;
    const char* const end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + prefix.size(), end, taken);
    if (parsed.ptr == end && taken >= 0 && taken < most) number = std::max(number, taken);
  }
  while (true) {
    fs::path folder = runs / fmt::format("{}{:03}", prefix, ++number);
    if (::mkdir(folder.c_str(), 0777) == 0) return folder;
    if (errno != EEXIST) fail("{}: cannot make the folder: {}", shown(folder), std::strerror(errno));
  }
}

}  // namespace toy

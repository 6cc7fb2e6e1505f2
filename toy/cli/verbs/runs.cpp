// toy runs: the training runs of a folder.
#include <cmath>
#include <system_error>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/run_facts.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy::cli {

namespace {

Json list_json(const std::string& folder, const RunList& list) {
  Json runs = Json::array(), skipped = Json::array();
  for (const RunLog& run : list.runs) runs.push_back(run_json(run));
  for (const SkippedRun& s : list.skipped) skipped.push_back({{"path", s.folder.string()}, {"reason", s.reason}});
  return {{"folder", folder}, {"runs", runs}, {"skipped", skipped}};
}

void print_list(const RunList& list, Console& console) {
  std::vector<std::vector<std::string>> rows{
      {"run", "state", "started (UTC)", "steps", "tokens", "loss", "best eval", "tok/s", "time"}};
  for (const RunLog& run : list.runs) {
    const auto best = run.best_eval();
    const auto speed = run.tokens_per_second();
    rows.push_back({one_line(run.id()), std::string(name(run.state())), time_text(run.fact("/started_at")),
                    std::to_string(run.steps().size()), short_count(static_cast<std::int64_t>(run.tokens())),
                    loss_text(run.last_loss()), best ? loss_text(best->loss) : "-",
                    speed ? short_count(std::llround(*speed)) : "-", duration_text(run.wall_seconds())});
  }
  if (rows.size() > 1) console.print(table(rows, "lllrrrrrr"));
  for (const SkippedRun& s : list.skipped) console.print("skipped {}\n", one_line(s.reason));
}

void check_folder(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return;
  const bool missing = error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
  if (error && !missing) fail("--dir: {}: {}", shown(folder), error.message());
  fail("--dir: {} is no folder", shown(folder));
}

void run(const Arguments& a, Console& console) {
  const std::string folder = *a.text("--dir");
  if (a.has("--dir")) check_folder(folder);
  const RunList list = list_runs(folder);
  if (a.has("--json")) {
    console.print(line_of(list_json(folder, list)));
  } else {
    print_list(list, console);
  }
  console.flush();
  if (list.runs.empty())
    console.note("no runs in {}{}", shown(folder), a.has("--dir") ? "" : "; give the folder of runs with --dir");
}

JsonForm form() {
  JsonForm form{
      "",
      {{"folder", "string", "the folder of runs"}, {"runs", "array", "newest first"}, {"runs[]", "object", "", false}}};
  for (Field& field : run_fields("runs[]", true)) form.fields.push_back(std::move(field));
  form.fields.insert(form.fields.end(), {{"skipped", "array", "folders that hold no run"},
                                         {"skipped[]", "object", "", false},
                                         {"skipped[].path", "string", "", false},
                                         {"skipped[].reason", "string", "", false}});
  return form;
}

}  // namespace

Verb runs_verb() {
  return {
      .name = "runs",
      .summary = "list the training runs of a folder, newest first",
      .details =
          "A run that is neither ended nor being written has crashed; one that --div-crit stopped was aborted. The "
          "loss is that of the last step. The best eval is the smallest loss of all evaluations, that of the whole "
          "validation part at the end included.",
      .positionals = {},
      .options = {runs_folder_option()},
      .json = {form()},
      .examples = {{{"toy runs", "the runs in ./runs"}, {"toy runs --dir /data/runs --json", "elsewhere, as JSON"}}},
      .run = run};
}

}  // namespace toy::cli

// toy runs show: one run.
#include <algorithm>
#include <cmath>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/plot.h"
#include "toy/cli/run_facts.h"
#include "toy/io/plural.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/train/run_compare.h"

namespace toy::cli {

namespace {

Json show_json(const RunLog& run) {
  Json parameters = Json::array(), steps = Json::array(), evals = Json::array(), samples = Json::array();
  for (const auto& [name, value] : hyperparameters(run)) parameters.push_back({{"name", name}, {"value", value}});
  for (const StepRecord& s : run.steps()) {
    steps.push_back({{"step", s.step},
                     {"loss", s.loss},
                     {"lr", s.lr},
                     {"grad_norm", s.grad_norm},
                     {"tokens", s.tokens},
                     {"wall_us", s.wall_us}});
  }
  for (const EvalRecord& e : run.evals()) evals.push_back({{"name", e.name}, {"step", e.step}, {"loss", e.loss}});
  for (const SampleRecord& s : run.samples()) {
    samples.push_back({{"step", s.step}, {"prompt", s.prompt}, {"text", s.text}});
  }
  return {{"run", run_json(run)},
          {"hyperparameters", parameters},
          {"steps", steps},
          {"evals", evals},
          {"samples", samples},
          {"notes", run.notes()},
          {"skipped_lines", run.skipped_lines()}};
}

/// Of what a log says, bytes that are shown of one text.
constexpr std::size_t most_text = 4000;

std::string shown_text(const std::string& text) { return one_line(cut_text(text, most_text)); }

void print_numbers(const RunLog& run, Console& console) {
  console.print("{}: {}, started {} UTC, {}\n", one_line(run.id()), name(run.state()),
                time_text(run.fact("/started_at")), duration_text(run.wall_seconds()));
  std::string speed;
  if (const auto rate = run.tokens_per_second()) speed = fmt::format(", {} tokens/s", short_count(std::llround(*rate)));
  const std::size_t steps = run.steps().size();
  console.print("{} {}, {} {}{}, last loss {}", steps, plural(steps, "step"),
                short_count(static_cast<std::int64_t>(run.tokens())), plural(run.tokens(), "token"), speed,
                run.last_loss() ? finite_text(*run.last_loss()) : "-");
  if (const auto best = run.best_eval()) {
    console.print(", best {} loss {} at step {}", shown_text(best->name), loss_text(best->loss), best->step);
  }
  console.print("\n");
  if (!run.error().empty()) console.print("{}: {}\n", name(run.state()), shown_text(run.error()));
  if (const std::uint64_t n = run.skipped_lines(); n > 0) {
    console.print("{} {} of its log cannot be read\n", n, plural(n, "line"));
  }
}

void print_details(const RunLog& run, Console& console) {
  constexpr int most_columns = 120, lines = 10;
  if (const std::string curve = plot(run.losses(), std::min(terminal_width(), most_columns), lines); !curve.empty()) {
    console.print("\nTraining loss, steps {} to {}\n{}", run.steps().front().step, run.steps().back().step, curve);
  }
  std::vector<std::vector<std::string>> rows;
  if (!run.evals().empty()) {
    rows = {{"  name", "step", "loss"}};
    for (const EvalRecord& e : run.evals()) {
      rows.push_back({"  " + one_line(e.name), std::to_string(e.step), finite_text(e.loss)});
    }
    console.print("\nEvaluations\n{}", table(rows, "lrr"));
  }
  if (!run.samples().empty()) {
    const SampleRecord& last = run.samples().back();
    console.print("\nSample of step {}\n  {}\n", last.step, escaped(cut_text(last.prompt + last.text, most_text)));
  }
  rows.clear();
  for (const auto& [name, value] : hyperparameters(run)) {
    rows.push_back({"  " + one_line(name), one_line(value.is_string() ? value.get<std::string>() : value.dump())});
  }
  if (!rows.empty()) console.print("\nHyperparameters\n{}", table(rows, "ll"));
  if (!run.notes().empty()) console.print("\nNotes\n");
  for (const std::string& note : run.notes()) console.print("  {}\n", shown_text(note));
}

void run(const Arguments& a, Console& console) {
  const std::filesystem::path folder = find_run(*a.text("--dir"), a.positional(0));
  const RunLog run = RunLog::read(folder);
  std::vector<std::string> complaints;
  if (a.has("--check")) complaints = validate_log(Folder(folder) / "events.jsonl");
  if (a.has("--json")) {
    Json json = show_json(run);
    if (a.has("--check")) json["complaints"] = complaints;
    console.print(line_of(json));
  } else {
    print_numbers(run, console);
    print_details(run, console);
    for (const std::string& complaint : complaints) console.print("{}\n", shown_text(complaint));
    if (a.has("--check") && complaints.empty()) console.print("\nThe log follows toy/v1.\n");
  }
  console.flush();
  const std::size_t places = complaints.size();
  if (places > 0) fail("{}: its log breaks toy/v1 in {} {}", shown(folder), places, plural(places, "place"));
}

JsonForm form() {
  JsonForm form{"", {{"run", "object", ""}}};
  for (Field& field : run_fields("run", true)) form.fields.push_back(std::move(field));
  const std::string value = "number or string or boolean or object or array or null";
  form.fields.insert(form.fields.end(), {{"hyperparameters", "array", "of the model and the configuration, by name"},
                                         {"hyperparameters[]", "object", "", false},
                                         {"hyperparameters[].name", "string", "dotted: config.training.lr", false},
                                         {"hyperparameters[].value", value, "", false},
                                         {"hyperparameters[].value[]", value, "", false},
                                         {"steps", "array", "training steps in order"},
                                         {"steps[]", "object", "", false},
                                         {"steps[].step", "integer", "", false},
                                         {"steps[].loss", "number or null", "null: it was not finite", false},
                                         {"steps[].lr", "number or null", "learning rate", false},
                                         {"steps[].grad_norm", "number or null", "before clipping", false},
                                         {"steps[].tokens", "integer", "", false},
                                         {"steps[].wall_us", "number or null", "microseconds", false},
                                         {"evals", "array", "evaluations in order"},
                                         {"evals[]", "object", "", false},
                                         {"evals[].name", "string", "", false},
                                         {"evals[].step", "integer", "", false},
                                         {"evals[].loss", "number or null", "", false},
                                         {"samples", "array", "texts written in between"},
                                         {"samples[]", "object", "", false},
                                         {"samples[].step", "integer", "", false},
                                         {"samples[].prompt", "string", "", false},
                                         {"samples[].text", "string", "", false},
                                         {"notes", "array", ""},
                                         {"notes[]", "string", "", false},
                                         {"skipped_lines", "integer", "lines of the log that cannot be read"},
                                         {"complaints", "array", "with --check: where the log breaks toy/v1", false},
                                         {"complaints[]", "string", "", false}});
  return form;
}

}  // namespace

Verb runs_show_verb() {
  return {
      .name = "runs show",
      .summary = "show a run: its loss, evaluations, samples and hyperparameters",
      .details = "The hyperparameters are those that hold now: a resumed run may have got others than it began with.",
      .positionals = {{"ID", std::string("the run: ") + run_words}},
      .options = {runs_folder_option(),
                  {.name = "--check", .help = "also hold the log against its schema, toy/v1; exit code 1 if it fails"}},
      .json = {form()},
      .examples = {{{"toy runs show last", "the newest run in ./runs"},
                    {"toy runs show /data/runs/llama-20260531-001 --check --json",
                     "one elsewhere, its log checked, as JSON"}}},
      .run = run};
}

}  // namespace toy::cli

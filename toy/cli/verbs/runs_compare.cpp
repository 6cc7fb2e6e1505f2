// toy runs compare: two runs side by side.
#include <cmath>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/run_facts.h"
#include "toy/train/run_compare.h"

namespace toy::cli {

namespace {

Json pairs_json(const std::vector<LossPair>& pairs) {
  Json json = Json::array();
  for (const LossPair& p : pairs) json.push_back({{"step", p.step}, {"run", p.run}, {"baseline", p.baseline}});
  return json;
}

Json compare_json(const RunLog& run, const RunLog& baseline, const RunComparison& c) {
  Json differences = Json::array();
  for (const Difference& d : c.differences) {
    differences.push_back({{"name", d.name}, {"run", d.run}, {"baseline", d.baseline}});
  }
  return {{"run", run_json(run)},
          {"baseline", run_json(baseline)},
          {"differences", differences},
          {"losses", pairs_json(c.losses)},
          {"evaluations", pairs_json(c.evaluations)},
          {"basis", c.basis},
          {"caution", c.caution},
          {"run_loss", c.run_loss},
          {"baseline_loss", c.baseline_loss},
          {"loss_delta", c.loss_delta},
          {"ppl_ratio", c.ppl_ratio},
          {"verdict", name(c.verdict)},
          {"speed_ratio", c.speed_ratio}};
}

std::string value_text(const Event& value) {
  if (value.is_null()) return "-";
  return one_line(value.is_string() ? value.get<std::string>() : value.dump());
}

/// What columns and verdict call the runs: their names, or their paths where these are of one name.
struct Names {
  std::string run, baseline;
};

Names names_of(const RunLog& run, const RunLog& baseline) {
  const bool by_path = run.id() == baseline.id() && run.folder() != baseline.folder();
  const auto name = [&](const RunLog& r) { return one_line(by_path ? r.folder().string() : r.id()); };
  return {name(run), name(baseline)};
}

void print_pairs(std::string_view title, const std::vector<LossPair>& pairs, const Names& names, Console& console) {
  if (pairs.empty()) return;
  std::vector<std::vector<std::string>> rows{{"  step", names.run, names.baseline, "difference"}};
  for (const LossPair& p : pairs) {
    const double delta = p.run - p.baseline;
    rows.push_back({fmt::format("  {}", p.step), finite_text(p.run), finite_text(p.baseline),
                    std::isfinite(delta) ? fmt::format("{:+.4f}", delta) : "-"});
  }
  console.print("{}\n{}\n", title, table(rows, "rrrr"));
}

std::string verdict_text(const RunComparison& c, const Names& names) {
  std::string text =
      fmt::format("{}: {} and {}", one_line(c.basis), finite_text(c.run_loss), finite_text(c.baseline_loss));
  if (!std::isfinite(c.run_loss) && !std::isfinite(c.baseline_loss)) return text + ": neither run is ahead";
  constexpr double large = 1e4;
  if (c.ppl_ratio < large) text += fmt::format(", perplexity ratio {:.3f}", c.ppl_ratio);
  if (c.ppl_ratio >= large && std::isfinite(c.ppl_ratio)) text += fmt::format(", perplexity ratio {:.3g}", c.ppl_ratio);
  const std::string_view relation = c.verdict == Verdict::par     ? "on par with"
                                    : c.verdict == Verdict::ahead ? "ahead of"
                                                                  : "behind";
  return fmt::format("{}: {} is {} {}", text, names.run, relation, names.baseline);
}

void print_comparison(const RunLog& run, const RunLog& baseline, const RunComparison& c, Console& console) {
  const Names names = names_of(run, baseline);
  std::vector<std::vector<std::string>> rows{{"  name", names.run, names.baseline}};
  for (const Difference& d : c.differences)
    rows.push_back({"  " + one_line(d.name), value_text(d.run), value_text(d.baseline)});
  if (rows.size() > 1) {
    console.print("Hyperparameters that differ\n{}\n", table(rows, "lll"));
  } else {
    console.print("The hyperparameters are the same.\n\n");
  }
  print_pairs("Training loss", c.losses, names, console);
  print_pairs("Evaluations", c.evaluations, names, console);
  if (std::isfinite(c.speed_ratio)) console.print("Speed: {:.2f} times the tokens per second\n", c.speed_ratio);
  if (c.basis.empty()) return console.print("The runs share no step.\n");
  console.print("{}\n", verdict_text(c, names));
  if (!c.caution.empty()) console.print("Beware: {}, so these losses may say little of each other.\n", c.caution);
}

void run(const Arguments& a, Console& console) {
  const std::filesystem::path folder = *a.text("--dir");
  const RunLog run = RunLog::read(find_run(folder, a.positional(0)));
  const RunLog baseline = RunLog::read(find_run(folder, a.positional(1)));
  const RunComparison comparison = compare(run, baseline);
  if (a.has("--json")) return console.print(line_of(compare_json(run, baseline, comparison)));
  print_comparison(run, baseline, comparison, console);
}

JsonForm form() {
  JsonForm form{"", {{"run", "object", "A"}}};
  for (Field& field : run_fields("run", true)) form.fields.push_back(std::move(field));
  form.fields.push_back({"baseline", "object", "B"});
  for (Field& field : run_fields("baseline", true)) form.fields.push_back(std::move(field));
  const std::string value = "number or string or boolean or object or array or null";
  form.fields.insert(form.fields.end(), {{"differences", "array", "hyperparameters that the runs do not share"},
                                         {"differences[]", "object", "", false},
                                         {"differences[].name", "string", "dotted: config.training.lr", false},
                                         {"differences[].run", value, "null: it has none", false},
                                         {"differences[].run[]", value, "", false},
                                         {"differences[].baseline", value, "null: it has none", false},
                                         {"differences[].baseline[]", value, "", false}});
  for (const std::string list : {"losses", "evaluations"}) {
    form.fields.insert(form.fields.end(),
                       {{list, "array", "at up to 10 steps that both have, the last of them included"},
                        {list + "[]", "object", "", false},
                        {list + "[].step", "integer", "", false},
                        {list + "[].run", "number or null", "", false},
                        {list + "[].baseline", "number or null", "", false}});
  }
  form.fields.insert(
      form.fields.end(),
      {{"basis", "string", "what the numbers below compare; empty: the runs share no step"},
       {"caution", "string", "why the losses may say little of each other; empty: nothing known"},
       {"run_loss", "number or null", ""},
       {"baseline_loss", "number or null", ""},
       {"loss_delta", "number or null", "run - baseline"},
       {"ppl_ratio", "number or null", "e^loss_delta"},
       {"verdict", "string",
        "of the run: ahead, par (within 1 % of perplexity, or nothing to compare) or behind, whatever caution says"},
       {"speed_ratio", "number or null", "tokens per second, run / baseline"}});
  return form;
}

}  // namespace

Verb runs_compare_verb() {
  const std::string which = run_words;
  return {
      .name = "runs compare",
      .summary = "compare a run with a baseline: hyperparameters, losses, speed",
      .details =
          "The verdict rests on the last step that both evaluated, or else on the mean training loss of the last 10 "
          "steps that both have.",
      .positionals = {{"A", "the run: " + which}, {"B", "the baseline it is compared with: " + which}},
      .options = {runs_folder_option()},
      .json = {form()},
      .examples = {{{"toy runs compare llama-20260531-002 llama-20260531-001",
                     "the second run of a day with the first"},
                    {"toy runs compare gpt2 llama --dir /data/runs --json", "runs by a part of their names, as JSON"}}},
      .run = run};
}

}  // namespace toy::cli

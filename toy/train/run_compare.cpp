#include "toy/train/run_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>

namespace toy {

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t most_pairs = 10;

/// The members of an object by their dotted names, objects inside it taken apart.
void flatten(const Event& value, const std::string& name, std::map<std::string, Event>& into) {
  if (!value.is_object()) {
    into[name] = value;
    return;
  }
  for (const auto& [key, member] : value.items()) flatten(member, name.empty() ? key : name + "." + key, into);
}

}  // namespace

std::map<std::string, Event> hyperparameters(const RunLog& run) {
  std::map<std::string, Event> all;
  flatten(run.start().value("model", Event::object()), "model", all);
  flatten(run.config(), "config", all);
  return all;
}

namespace {

std::vector<Difference> differences(const RunLog& run, const RunLog& baseline) {
  auto ours = hyperparameters(run), theirs = hyperparameters(baseline);
  std::set<std::string> names;
  for (const auto& [name, value] : ours) names.insert(name);
  for (const auto& [name, value] : theirs) names.insert(name);
  std::vector<Difference> all;
  for (const std::string& name : names) {
    const bool of_a_run = name == "config.command" || name == "config.name" || name == "model.name";
    if (!of_a_run && ours[name] != theirs[name]) all.push_back({name, ours[name], theirs[name]});
  }
  return all;
}

/// The losses at the steps that both have, ascending; the last record of a step counts.
using Losses = std::map<std::uint64_t, double>;
std::vector<LossPair> shared(const Losses& run, const Losses& baseline) {
  std::vector<LossPair> pairs;
  for (const auto& [step, loss] : run) {
    if (const auto other = baseline.find(step); other != baseline.end()) pairs.push_back({step, loss, other->second});
  }
  return pairs;
}

std::vector<LossPair> spread(const std::vector<LossPair>& pairs) {
  if (pairs.size() <= most_pairs) return pairs;
  std::vector<LossPair> some;
  for (std::size_t i = 1; i <= most_pairs; ++i) some.push_back(pairs[i * pairs.size() / most_pairs - 1]);
  return some;
}

Losses losses_of(const std::vector<StepRecord>& steps) {
  Losses all;
  for (const StepRecord& s : steps) all[s.step] = s.loss;
  return all;
}

/// By the name of the evaluation.
std::map<std::string, Losses> losses_of(const std::vector<EvalRecord>& evals) {
  std::map<std::string, Losses> all;
  for (const EvalRecord& e : evals) all[e.name][e.step] = e.loss;
  return all;
}

/// Why the losses may say little of each other; empty: no reason that the logs know of.
std::string caution(const std::vector<Difference>& differences, bool stories) {
  const auto differ = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::any_of(differences, [&](const Difference& d) {
      return std::ranges::find(names, d.name) != names.end() && !d.run.is_null() && !d.baseline.is_null();
    });
  };
  if (differ({"model.vocab"})) return "the vocabularies differ, and with them what a token is";
  if (differ({"config.vocabulary.kind", "config.vocabulary.merges"})) return "other vocabularies are named";
  const bool others = differ({"config.corpus", "config.separator", "config.training.val_share"});
  return others || (stories && differ({"config.training.seed"})) ? "other texts are named" : "";
}

/// `latest`: of the evaluation `eval`, which both have at the latest step.
void judge(RunComparison& result, const std::vector<LossPair>& steps, const std::vector<LossPair>& latest,
           const std::string& eval) {
  result.run_loss = result.baseline_loss = not_a_number;
  if (!latest.empty()) {
    const LossPair& last = latest.back();
    result.basis = fmt::format("{} loss at step {}", eval, last.step);
    result.run_loss = last.run;
    result.baseline_loss = last.baseline;
  } else if (!steps.empty()) {
    const std::size_t n = std::min(steps.size(), most_pairs);
    const LossPair& first = steps[steps.size() - n];
    result.basis = fmt::format("mean training loss of steps {} to {}", first.step, steps.back().step);
    result.run_loss = result.baseline_loss = 0;
    for (std::size_t i = steps.size() - n; i < steps.size(); ++i) {
      result.run_loss += steps[i].run / static_cast<double>(n);
      result.baseline_loss += steps[i].baseline / static_cast<double>(n);
    }
  }
  result.loss_delta = result.run_loss - result.baseline_loss;
  result.ppl_ratio = std::exp(result.loss_delta);
  result.verdict = verdict_of(result.run_loss, result.baseline_loss);
}

}  // namespace

std::string_view name(Verdict verdict) {
  constexpr std::array<std::string_view, 3> names = {"ahead", "par", "behind"};
  return names[static_cast<std::size_t>(verdict)];
}

Verdict verdict_of(double loss, double baseline_loss) {
  const bool finite = std::isfinite(loss), baseline_finite = std::isfinite(baseline_loss);
  if (!finite || !baseline_finite)
    return finite == baseline_finite ? Verdict::par : finite ? Verdict::ahead : Verdict::behind;
  const double ppl_ratio = std::exp(loss - baseline_loss);
  if (std::abs(ppl_ratio - 1) <= 0.01) return Verdict::par;
  return ppl_ratio < 1 ? Verdict::ahead : Verdict::behind;
}

RunComparison compare(const RunLog& run, const RunLog& baseline) {
  RunComparison result;
  result.differences = differences(run, baseline);
  const auto steps = shared(losses_of(run.steps()), losses_of(baseline.steps()));
  result.losses = spread(steps);
  std::string eval;
  std::vector<LossPair> latest, curve;
  auto baseline_evals = losses_of(baseline.evals());
  for (const auto& [name, losses] : losses_of(run.evals())) {
    const auto pairs = shared(losses, baseline_evals[name]);
    if (pairs.size() > curve.size()) curve = pairs;
    if (pairs.empty() || (!latest.empty() && pairs.back().step < latest.back().step)) continue;
    eval = name;
    latest = pairs;
  }
  result.evaluations = spread(curve);
  const auto of_stories = [](const RunLog& log) { return log.config().value("corpus", Event()) == Event::array(); };
  result.caution = caution(result.differences, of_stories(run) && of_stories(baseline));
  judge(result, steps, latest, eval);
  result.speed_ratio =
      run.tokens_per_second().value_or(not_a_number) / baseline.tokens_per_second().value_or(not_a_number);
  return result;
}

}  // namespace toy

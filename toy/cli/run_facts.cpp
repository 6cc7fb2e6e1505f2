#include "toy/cli/run_facts.h"

#include <algorithm>
#include <cmath>

#include "toy/cli/console.h"

namespace toy::cli {

Option runs_folder_option() {
  return {.name = "--dir", .metavar = "FOLDER", .type = Type::path, .help = "the folder of runs", .fallback = "runs"};
}

Json run_json(const RunLog& run) {
  Json json{{"id", run.id()},
            {"path", run.folder().string()},
            {"state", name(run.state())},
            {"started_at", run.fact("/started_at")},
            {"architecture", run.fact("/model/arch")},
            {"steps", run.steps().size()},
            {"tokens", run.tokens()},
            {"loss", nullptr},
            {"best_eval", nullptr},
            {"tokens_per_second", nullptr},
            {"seconds", run.wall_seconds()},
            {"error", nullptr}};
  if (const auto loss = run.last_loss()) json["loss"] = *loss;
  if (const auto best = run.best_eval()) {
    json["best_eval"] = {{"name", best->name}, {"step", best->step}, {"loss", best->loss}};
  }
  if (const auto speed = run.tokens_per_second()) json["tokens_per_second"] = *speed;
  if (!run.error().empty()) json["error"] = run.error();
  return json;
}

std::vector<Field> run_fields(const std::string& path, bool always) {
  return {{path + ".id", "string", "the folder's name", always},
          {path + ".path", "string", "the folder", always},
          {path + ".state", "string", "running, completed, interrupted, aborted (by --div-crit), errored or crashed",
           always},
          {path + ".started_at", "string", "UTC, ISO 8601", always},
          {path + ".architecture", "string", "", always},
          {path + ".steps", "integer", "training steps so far", always},
          {path + ".tokens", "integer", "tokens of all steps", always},
          {path + ".loss", "number or null", "of the last step", always},
          {path + ".best_eval", "object or null",
           "the evaluation with the smallest loss, of a part or of the whole of the validation data", always},
          {path + ".best_eval.name", "string", "", false},
          {path + ".best_eval.step", "integer", "", false},
          {path + ".best_eval.loss", "number", "", false},
          {path + ".tokens_per_second", "number or null", "tokens by the time of the steps", always},
          {path + ".seconds", "number", "from the beginning to the last event", always},
          {path + ".error", "string or null", "why it ended, if it errored or was aborted", always}};
}

std::string loss_text(std::optional<double> loss) {
  return loss && std::isfinite(*loss) ? fmt::format("{:.4f}", *loss) : "-";
}

std::string finite_text(double loss) { return std::isfinite(loss) ? fmt::format("{:.4f}", loss) : "not finite"; }

std::string duration_text(double seconds) {
  if (seconds < 100) return fmt::format("{:.1f} s", seconds);
  const auto minutes = std::llround(std::min(seconds, 1e15) / 60);
  return minutes < 60 ? fmt::format("{} min", minutes) : fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string time_text(const std::string& time) {
  const bool usual = time.size() >= 16 && time[4] == '-' && time[10] == 'T' && time[13] == ':';
  return one_line(usual ? time.substr(0, 10) + " " + time.substr(11, 5) : time.substr(0, 40));
}

}  // namespace toy::cli

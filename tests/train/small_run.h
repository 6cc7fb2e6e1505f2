// Runs of a few steps, written for tests.
#pragma once

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "toy/io/events.h"

namespace toy::testing {

struct SmallRun {
  std::string started_at = "2026-05-31T10:00:00Z";
  double lr = 1e-3;
  std::vector<double> losses{4, 3, 2};  // of steps 1, 2, ...
  std::vector<double> evals{};          // of steps 10, 20, ...
  double whole_eval = NAN;              // of the last of those, by another name; NaN: none
  double wall_us = 1000;                // of each step of 100 tokens
  std::string reason = "completed";     // empty: no run_end
  std::string error{};                  // of run_end
};

inline nlohmann::ordered_json run_start(const SmallRun& run, const std::string& id) {
  return {{"kind", "run_start"},
          {"schema", "toy/v1"},
          {"started_at", run.started_at},
          {"run_id", id},
          {"host", {{"name", "box"}, {"os", "linux"}, {"arch", "x86_64"}}},
          {"backend", {{"kind", "cpu"}}},
          {"model",
           {{"arch", "llama"},
            {"name", "tiny"},
            {"vocab", 64},
            {"d_model", 8},
            {"n_layers", 1},
            {"n_heads", 2},
            {"n_kv", 2},
            {"d_head", 4},
            {"d_ff", 16},
            {"weight_type", "f32"}}},
          {"config", {{"seed", 1}, {"optimizer", {{"name", "adamw"}, {"lr", run.lr}}}}}};
}

/// Writes `folder`/events.jsonl, all of it by toy/v1.
inline void write_run(const std::filesystem::path& folder, const SmallRun& run) {
  std::filesystem::create_directories(folder);
  EventWriter log(folder / "events.jsonl");
  log.write(run_start(run, folder.filename().string()));
  int step = 0;
  for (const double loss : run.losses) {
    log.write({{"kind", "step"},
               {"step", ++step},
               {"phase", "train"},
               {"loss", loss},
               {"lr", run.lr},
               {"tokens", 100},
               {"wall_us", run.wall_us},
               {"compute_us", run.wall_us},
               {"grad_norm", 1.5},
               {"ppl", std::exp(loss)}});
  }
  step = 0;
  for (const double loss : run.evals) {
    log.write({{"kind", "eval"},
               {"step", step += 10},
               {"phase", "eval"},
               {"name", "validation"},
               {"loss", loss},
               {"ppl", std::exp(loss)},
               {"samples", 4}});
  }
  if (!std::isnan(run.whole_eval)) {
    log.write({{"kind", "eval"},
               {"step", step},
               {"phase", "eval"},
               {"name", "validation_whole"},
               {"loss", run.whole_eval},
               {"ppl", std::exp(run.whole_eval)},
               {"samples", 400}});
  }
  log.write({{"kind", "sample"}, {"step", step}, {"prompt", "Once"}, {"text", " upon a time"}});
  if (run.reason.empty()) return;
  nlohmann::ordered_json end{{"kind", "run_end"},
                             {"ended_at", "2026-05-31T10:05:00Z"},
                             {"reason", run.reason},
                             {"final_step", run.losses.size()},
                             {"final_loss", run.losses.empty() ? NAN : run.losses.back()},
                             {"exit_code", 0}};
  if (!run.error.empty()) end["error"] = run.error;
  log.write(std::move(end));
}

}  // namespace toy::testing

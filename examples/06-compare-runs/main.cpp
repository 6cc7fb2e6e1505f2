// Compares two runs by their logs: the folders RUN and BASELINE, or two that it writes itself when none are given.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <unistd.h>

#include "toy/io/events.h"
#include "toy/tensor/error.h"
#include "toy/train/run_compare.h"

/// A run is a log of events, one JSON object per line. Here the loss falls to 1 along a curve, faster with a larger
/// learning rate.
void write_run(const std::filesystem::path& folder, double lr) {
  std::filesystem::create_directories(folder);
  toy::EventWriter log(folder / "events.jsonl");
  log.write({{"kind", "run_start"}, {"schema", "toy/v1"}, {"config", {{"lr", lr}, {"batch", 8}}}});
  for (int step = 1; step <= 100; ++step) {
    const double loss = 1 + 3 * std::exp(-10 * lr * step);
    log.write({{"kind", "step"}, {"step", step}, {"loss", loss}, {"lr", lr}, {"tokens", 512}, {"wall_us", 2000}});
  }
  log.write({{"kind", "run_end"}, {"reason", "completed"}});
}

int main(int argc, char** argv) try {
  const auto scratch = std::filesystem::temp_directory_path() / ("toy-example-06-" + std::to_string(::getpid()));
  std::filesystem::path run = scratch / "bold", baseline = scratch / "careful";
  if (argc == 3) {
    run = argv[1];
    baseline = argv[2];
  } else {
    write_run(run, 3e-3);
    write_run(baseline, 1e-3);
  }

  // Reading: whatever the log says, a line that is torn or unknown does no harm.
  const auto a = toy::RunLog::read(run), b = toy::RunLog::read(baseline);
  std::filesystem::remove_all(scratch);
  for (const toy::RunLog* r : {&a, &b}) {
    std::printf("%s: %s after %zu steps, %.0f tokens/s\n", r->id().c_str(), name(r->state()).data(), r->steps().size(),
                r->tokens_per_second().value_or(0));
  }

  // Comparing: what was set otherwise, and what came of it at the same steps.
  const toy::RunComparison c = compare(a, b);
  for (const toy::Difference& d : c.differences)
    std::printf("%s: %s, baseline %s\n", d.name.c_str(), d.run.dump().c_str(), d.baseline.dump().c_str());
  for (const auto& [step, ours, theirs] : c.losses)
    std::printf("step %3d  loss %.4f, baseline %.4f\n", static_cast<int>(step), ours, theirs);
  if (c.basis.empty()) return std::puts("they share no step"), 0;
  std::printf("%s: perplexity %.3f times the baseline's: %s\n", c.basis.c_str(), c.ppl_ratio, name(c.verdict).data());
  if (!c.caution.empty()) std::printf("beware: %s\n", c.caution.c_str());
  return 0;
} catch (const toy::Error& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}

#include "toy/train/resume_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "toy/io/events.h"
#include "toy/io/file.h"

namespace toy {

namespace {

std::int64_t step_of(const Event& event) {
  const auto step = event.find("step");
  return step != event.end() && step->is_number_integer() ? step->get<std::int64_t>() : 0;
}

/// True for what a run writes after its checkpoint of `step`.
bool is_later(const Event& event, std::int64_t step) {
  return step_of(event) > step || event.at("kind") == "run_end" || event.value("name", Event()) == "validation_whole";
}

/// One walk through the first bytes of a log.
struct Walk {
  EventLines lines;
  bool begins = false;         // its first event is a run_start
  std::uint64_t later = 0;     // number of the first line that belongs after the checkpoint; 0: none
  std::int64_t last_step = 0;  // of those before
  std::int64_t reached = 0;    // of all
  std::vector<double> losses;
};

Walk walk(const Place& log, std::int64_t step, std::uint64_t limit) {
  Walk w;
  bool first = true;
  const auto visit = [&](Event&& event, std::uint64_t line) {
    const auto& kind = event.at("kind").get_ref<const std::string&>();
    if (first) w.begins = kind == "run_start" && event.value("schema", Event()) == "toy/v1";
    first = false;
    if (kind == "step") w.reached = std::max(w.reached, step_of(event));
    if (w.later == 0 && is_later(event, step)) w.later = line;
    if (w.later != 0 || kind != "step") return;
    w.last_step = std::max(w.last_step, step_of(event));
    if (event.contains("loss") && event["loss"].is_number()) w.losses.push_back(event["loss"]);
  };
  w.lines = for_each_event(log, visit, limit);
  return w;
}

/// Bytes of the first `count` lines.
std::uint64_t bytes_of_lines(const Place& log, std::uint64_t count) {
  const auto map = map_file(log);
  const auto bytes = map->bytes();
  auto at = bytes.begin();
  for (; count > 0 && at != bytes.end(); --count) {
    at = std::find(at, bytes.end(), std::byte{'\n'});
    if (at != bytes.end()) ++at;
  }
  return static_cast<std::uint64_t>(at - bytes.begin());
}

}  // namespace

KeptLog kept_log(const Place& log, const Checkpoint& c) {
  Walk w = walk(log, c.step, c.log_bytes);
  Walk whole = walk(log, c.step, ~std::uint64_t{0});
  if (w.begins && w.later == 0 && w.lines.whole_bytes == c.log_bytes) {
    return {.bytes = c.log_bytes,
            .fits = true,
            .losses = std::move(w.losses),
            .skipped_lines = w.lines.skipped_lines,
            .reached = whole.reached};
  }
  w = std::move(whole);
  if (!w.begins) {
    const bool empty = InputFile(log, Empty::allowed).size() == 0;
    return {.damage = fmt::format("{}; this one begins after step {}",
                                  empty ? "the log was missing" : "the log did not begin with run_start", c.step)};
  }
  KeptLog kept{.bytes = w.lines.whole_bytes, .reached = w.reached};
  if (w.later != 0) kept.bytes = std::min(kept.bytes, bytes_of_lines(log, w.later - 1));
  kept.damage = w.last_step + 1 < c.step ? fmt::format("the log of steps {} to {} is missing", w.last_step + 1, c.step)
                : w.last_step < c.step
                    ? fmt::format("the log of step {} is missing", c.step)
                    : fmt::format("the log was changed since step {} was saved; its lines up to there stay", c.step);
  kept.losses = std::move(w.losses);
  return kept;
}

std::string set_log_aside(const Folder& run, const std::string& log, const FileCalls& calls) {
  std::string aside = log + ".damaged";
  for (int number = 2; run.has(aside); ++number) aside = fmt::format("{}.damaged-{}", log, number);
  const auto map = map_file(run / log);
  write_atomically(
      run / aside, [&](ByteSink& sink) { sink.write(map->bytes()); }, calls);
  return aside;
}

}  // namespace toy

#include "toy/train/branch.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "toy/io/events.h"
#include "toy/train/resume_log.h"
#include "toy/train/run.h"

namespace toy {

namespace {

namespace fs = std::filesystem;

void copy(const Folder& from, const Folder& to, const fs::path& name, const FileCalls& calls) {
  if (name.has_parent_path()) (void)to.made(name.parent_path());
  const auto map = map_file(from / name);
  write_atomically(
      to / name, [&](ByteSink& sink) { sink.write(map->bytes()); }, calls);
}

/// The first bytes of a log; the run_start that they begin with gets the new run's name.
std::string renamed_log(const Place& log, std::uint64_t bytes, const std::string& name) {
  const auto map = map_file(log);
  const std::string_view text(reinterpret_cast<const char*>(map->bytes().data()), bytes);
  const std::string_view first = text.substr(0, text.find('\n'));
  auto start = nlohmann::ordered_json::parse(first, nullptr, false);
  if (!start.is_object() || start.value("kind", "") != "run_start") return std::string(text);
  start["run_id"] = name;
  return start.dump() + std::string(text.substr(first.size()));
}

}  // namespace

void branch_run(const Folder& origin, std::int64_t step, const Folder& folder, const FileCalls& calls) {
  Checkpoint c = open_checkpoint(origin, step);
  for (const fs::path& file : {fs::path(tokens_file), c.weights.path, c.state.path, fs::path(config_file)}) {
    copy(origin, folder, file, calls);
  }
  if (origin.has(flow_file)) copy(origin, folder, flow_file, calls);
  // Of all its checkpoints the new run has this one alone.
  c.best_step = c.step;
  c.best_loss = c.validation_loss;
  const Place old_log = origin / log_file, log = folder / log_file;
  const KeptLog kept = origin.has(log_file) ? kept_log(old_log, c) : KeptLog{};
  if (kept.bytes > 0) {
    const std::string text = renamed_log(old_log, kept.bytes, run_name(folder.path()));
    write_atomically(log, text, calls);
    EventWriter writer(log, text.size(), calls);
    if (!kept.damage.empty()) writer.write({{"kind", "note"}, {"step", step}, {"text", kept.damage}});
    writer.write({{"kind", "note"},
                  {"step", step},
                  {"text", fmt::format("this run begins after step {} of {}", step, run_name(origin.path()))}});
    writer.sync();
    c.log_bytes = writer.length();
  }
  (void)folder.made("state");
  save_sidecar(folder, c, calls);
}

}  // namespace toy

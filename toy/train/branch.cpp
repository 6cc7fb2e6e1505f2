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

void copy(const fs::path& from, const fs::path& to, const FileCalls& calls) {
  make_folder(to.parent_path());
  const auto map = map_file(from);
  write_atomically(
      to, [&](ByteSink& sink) { sink.write(map->bytes()); }, calls);
}

/// The first bytes of a log; the run_start that they begin with gets the new run's name.
std::string renamed_log(const fs::path& log, std::uint64_t bytes, const std::string& name) {
  const auto map = map_file(log);
  const std::string_view text(reinterpret_cast<const char*>(map->bytes().data()), bytes);
  const std::string_view first = text.substr(0, text.find('\n'));
  auto start = nlohmann::ordered_json::parse(first, nullptr, false);
  if (!start.is_object() || start.value("kind", "") != "run_start") return std::string(text);
  start["run_id"] = name;
  return start.dump() + std::string(text.substr(first.size()));
}

}  // namespace

void branch_run(const fs::path& origin, std::int64_t step, const fs::path& folder, const FileCalls& calls) {
  Checkpoint c = open_checkpoint(origin, step);
  for (const fs::path& file : {fs::path(tokens_file), c.weights.path, c.state.path, fs::path(config_file)}) {
    copy(origin / file, folder / file, calls);
  }
  if (is_taken(origin / "flow.json")) copy(origin / "flow.json", folder / "flow.json", calls);
  // Of all its checkpoints the new run has this one alone.
  c.best_step = c.step;
  c.best_loss = c.validation_loss;
  const fs::path old_log = origin / log_file, log = folder / log_file;
  const KeptLog kept = is_taken(old_log) ? kept_log(old_log, c) : KeptLog{};
  if (kept.bytes > 0) {
    const std::string text = renamed_log(old_log, kept.bytes, run_name(folder));
    write_atomically(log, text, calls);
    EventWriter writer(log, text.size(), calls);
    if (!kept.damage.empty()) writer.write({{"kind", "note"}, {"step", step}, {"text", kept.damage}});
    writer.write({{"kind", "note"},
                  {"step", step},
                  {"text", fmt::format("this run begins after step {} of {}", step, run_name(origin))}});
    writer.sync();
    c.log_bytes = writer.length();
  }
  make_folder(folder / "state");
  save_sidecar(folder, c, calls);
}

}  // namespace toy

// toy runs rm: removes runs.
#include <fmt/ranges.h>

#include <algorithm>
#include <unistd.h>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/run_facts.h"
#include "toy/io/plural.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/train/remove_run.h"

namespace toy::cli {

namespace {

/// True for an answer that begins with y. Errors: nobody can be asked.
bool is_confirmed(const std::string& question) {
  if (::isatty(STDIN_FILENO) != 1) refuse("{}: give --yes, as there is no terminal to ask", question);
  const std::string text = fmt::format("{}? [y/N] ", one_line(question));
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  std::string line;
  for (char letter = 0; ::read(STDIN_FILENO, &letter, 1) == 1 && letter != '\n';) line += letter;
  return line.starts_with('y') || line.starts_with('Y');
}

void run(const Arguments& a, Console& console) {
  std::vector<RemovableRun> runs;
  std::uint64_t bytes = 0;
  for (const std::string& id : a.positionals()) {
    RemovableRun found = removable_run(find_run(*a.text("--dir"), id));
    const bool again = std::ranges::any_of(
        runs, [&](const RemovableRun& other) { return std::filesystem::equivalent(other.folder, found.folder); });
    if (again) continue;
    bytes += found.bytes;
    runs.push_back(std::move(found));
  }
  std::vector<std::string> names;
  for (const RemovableRun& r : runs) names.push_back(shown(r.folder));
  const std::string question =
      fmt::format("remove {} ({})", fmt::join(names, ", "), bytes_text(static_cast<std::int64_t>(bytes)));
  const bool yes = a.has("--yes") || is_confirmed(question);
  Json removed = Json::array();
  for (const RemovableRun& r : runs) {
    if (!yes) break;
    remove_run(r.folder);
    removed.push_back(r.folder.string());
    if (!a.has("--json")) console.print("removed {}\n", shown(r.folder));
  }
  if (a.has("--json")) console.print(line_of({{"removed", removed}, {"bytes", yes ? bytes : 0}}));
  if (!yes) console.note("nothing was removed");
}

}  // namespace

Verb runs_rm_verb() {
  return {.name = "runs rm",
          .summary = "remove runs: their logs, checkpoints and corpora",
          .details =
              "Removes only folders that hold a run. If such a folder holds anything that a run does not make, that is "
              "named and nothing is removed. Links are never followed, and a run that is being trained stays.",
          .positionals = {{"ID", std::string("a run: ") + run_words, true, true}},
          .options = {runs_folder_option(), {.name = "--yes", .help = "do not ask", .brief = "-y"}},
          .json = {{"",
                    {{"removed", "array", "folders of the runs"},
                     {"removed[]", "string", "", false},
                     {"bytes", "integer", "of their files"}}}},
          .examples = {{{"toy runs rm last", "the newest run, after a question"},
                        {"toy runs rm llama-20260531-001 llama-20260531-002 --yes", "two runs, without a question"}}},
          .run = run};
}

}  // namespace toy::cli

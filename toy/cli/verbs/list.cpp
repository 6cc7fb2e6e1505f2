// toy list: the models on this machine.
#include <algorithm>
#include <map>

#include "toy/cli/arguments.h"
#include "toy/cli/caches.h"
#include "toy/cli/console.h"
#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy::cli {

namespace {

struct Row {
  FoundModel found;
  ModelFacts facts;
  std::vector<std::string> duplicates;  // paths of other copies, the first of them
  std::size_t copies = 0;               // how many others there are
};

std::vector<Row> read_rows(const CacheRoots& roots) {
  std::vector<Row> rows;
  for (FoundModel& found : find_models(roots)) {
    Row row{std::move(found), {}, {}};
    if (row.found.skipped.empty()) {
      try {
        row.facts = read_facts(row.found.path);
      } catch (const Error& error) {
        row.found.skipped = error.what();
      }
    }
    rows.push_back(std::move(row));
  }
  std::map<std::uint64_t, std::vector<std::size_t>> copies;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].found.skipped.empty()) copies[rows[i].facts.fingerprint].push_back(i);
  }
  constexpr std::size_t most = 16;  // copies named for each: all of them for each would grow with the square
  for (const auto& [fingerprint, same] : copies) {
    for (const std::size_t i : same) {
      rows[i].copies = same.size() - 1;
      for (const std::size_t j : same) {
        if (i != j && rows[i].duplicates.size() < most) rows[i].duplicates.push_back(rows[j].found.path.string());
      }
    }
  }
  return rows;
}

Json row_json(const Row& row) {
  Json json{{"source", row.found.source},
            {"name", row.found.name},
            {"path", row.found.path.string()},
            {"skipped", !row.found.skipped.empty()}};
  if (!row.found.target.empty()) json["target"] = row.found.target.string();
  if (!row.found.note.empty()) json["note"] = row.found.note;
  if (!row.found.skipped.empty()) {
    json["reason"] = row.found.skipped;
    return json;
  }
  json["architecture"] = row.facts.architecture;
  json["runs"] = row.facts.obstacle.empty();
  if (!row.facts.obstacle.empty()) json["obstacle"] = row.facts.obstacle;
  json["quantization"] = row.facts.quantization;
  json["parameters"] = row.facts.parameters;
  json["bytes"] = row.facts.bytes;
  json["context"] = row.facts.context;
  json["shards"] = row.facts.shards;
  json["duplicates"] = row.duplicates;
  return json;
}

std::string roots_text(const CacheRoots& roots) {
  std::string text;
  const auto add = [&](const std::filesystem::path& path) {
    if (!path.empty()) text += (text.empty() ? "" : ", ") + shown(path);
  };
  add(roots.huggingface);
  for (const auto& path : roots.ollama) add(path);
  for (const auto& path : roots.lmstudio) add(path);
  add(roots.llama_cpp);
  add("data");
  for (const auto& path : roots.folders) add(path);
  return text;
}

/// " and 3 more"
std::string more_text(std::size_t count) { return count == 0 ? "" : fmt::format(" and {} more", count); }

void print_rows(const std::vector<Row>& rows, Console& console) {
  std::vector<std::vector<std::string>> models{
      {"source", "name", "architecture", "type", "parameters", "size", "context", "path"}};
  for (const Row& row : rows) {
    if (!row.found.skipped.empty()) continue;
    std::string path = shown(row.found.path);
    if (!row.found.target.empty()) path += " -> " + shown(row.found.target);
    if (row.facts.shards > 1) path += fmt::format(" ({} shards)", row.facts.shards);
    if (!row.facts.obstacle.empty()) path += " (does not run here yet: toy describe says why)";
    if (!row.duplicates.empty())
      path += fmt::format(" (also {}{})", shown(row.duplicates.front()), more_text(row.copies - 1));
    models.push_back({row.found.source, one_line(row.found.name), one_line(row.facts.architecture),
                      row.facts.quantization, short_count(row.facts.parameters), bytes_text(row.facts.bytes),
                      std::to_string(row.facts.context), path});
  }
  if (models.size() > 1) console.print(table(models, "llllrrrl"));
  constexpr std::size_t most_skipped = 1000, most_reason = 400;
  std::size_t skipped = 0;
  for (const Row& row : rows) {
    if (row.found.skipped.empty() || ++skipped > most_skipped) continue;
    console.print("skipped {}: {}: {}\n", row.found.source, shown(row.found.path),
                  one_line(cut_text(row.found.skipped, most_reason)));
  }
  if (skipped > most_skipped) console.print("skipped {} more; --json names them\n", skipped - most_skipped);
}

void run(const Arguments& a, Console& console) {
  const CacheRoots roots = cache_roots(a.positionals());
  const std::vector<Row> rows = read_rows(roots);
  if (a.has("--json")) {
    Json models = Json::array();
    for (const Row& row : rows) models.push_back(row_json(row));
    console.print(line_of({{"models", models}}));
  } else {
    print_rows(rows, console);
  }
  console.flush();
  if (std::ranges::all_of(rows, [](const Row& row) { return !row.found.skipped.empty(); })) {
    console.note(
        "no models in {}; get one with `hf download REPO FILE.gguf`, `ollama pull NAME` or LM "
        "Studio, put a GGUF file into data/, or give a folder: toy list FOLDER",
        roots_text(roots));
  }
}

}  // namespace

Verb list_verb() {
  return {
      .name = "list",
      .summary = "find models on this machine",
      .details =
          "Looks, without changing anything, into the caches of Hugging Face, Ollama, LM Studio and "
          "llama.cpp, into data/ and into the given folders, and says why a file was skipped. In data/ and in LM "
          "Studio's folder links to files and folders are followed one level.",
      .positionals = {{"FOLDER", "also look here", false, true}},
      .options = {},
      .json = {{"",
                {{"models", "array", "by source and name"},
                 {"models[]", "object", "", false},
                 {"models[].source", "string", "huggingface, ollama, lmstudio, llama.cpp, data or folder", false},
                 {"models[].name", "string", "as that tool calls it; MODEL of other verbs may be it", false},
                 {"models[].path", "string", "the file, the first one for shards", false},
                 {"models[].target", "string", "what a link out of its folder leads to", false},
                 {"models[].note", "string", "what is said when it is run", false},
                 {"models[].skipped", "boolean", "true: it cannot be used", false},
                 {"models[].reason", "string", "why it was skipped", false},
                 {"models[].architecture", "string", "general.architecture", false},
                 {"models[].runs", "boolean", "whether this program runs it", false},
                 {"models[].obstacle", "string", "why it does not", false},
                 {"models[].quantization", "string", "element type of most weights", false},
                 {"models[].parameters", "integer", "elements of all tensors", false},
                 {"models[].bytes", "integer", "size of the files", false},
                 {"models[].context", "integer", "tokens it was trained on, 0 if the file does not say", false},
                 {"models[].shards", "integer", "files", false},
                 {"models[].duplicates", "array", "paths of copies, the first 16: same size, beginning and end", false},
                 {"models[].duplicates[]", "string", "", false}}}},
      .examples = {{{"toy list", "the models in the caches"},
                    {"toy list /mnt/models --json", "and in a folder, as JSON"}}},
      .run = run};
}

}  // namespace toy::cli

#include "toy/cli/registry.h"

#include <algorithm>

namespace toy::cli {

std::string_view name(Type type) {
  constexpr std::array<std::string_view, 7> names = {"flag", "text", "path", "integer", "integers", "number", "choice"};
  return names[static_cast<std::size_t>(type)];
}

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {infer_verb(),
                                        eval_verb(),
                                        list_verb(),
                                        describe_verb(),
                                        tokenize_verb(),
                                        bench_verb(),
                                        train_from_scratch_verb(),
                                        train_autotune_verb(),
                                        runs_verb(),
                                        runs_show_verb(),
                                        runs_compare_verb(),
                                        runs_rm_verb()};
  return all;
}

std::vector<std::string> groups() {
  std::vector<std::string> all;
  for (const Verb& verb : verbs()) {
    std::string group = verb.name.substr(0, verb.name.find(' '));
    if (std::ranges::find(all, group) == all.end()) all.push_back(std::move(group));
  }
  return all;
}

std::vector<const Verb*> verbs_of(std::string_view group) {
  std::vector<const Verb*> all;
  for (const Verb& verb : verbs()) {
    const std::size_t space = verb.name.find(' ');
    if (space != std::string::npos && std::string_view(verb.name).substr(0, space) == group) all.push_back(&verb);
  }
  return all;
}

const Verb& program() {
  static const Verb self{
      .name = "toy",
      .summary = "readable machine learning: run and study language models in GGUF files",
      .details = {},
      .positionals = {},
      .options = {{.name = "--help", .help = "show the verbs", .brief = "-h"},
                  {.name = "--version", .help = "show the version", .brief = "-V"},
                  {.name = "--verbose", .help = "with --version: also what the program is linked with"},
                  {.name = "--manifest", .help = "print all verbs, options and JSON forms as JSON (toy/manifest-v1)"},
                  {.name = "--markdown", .help = "print the same as a page of Markdown (docs/cli.md)"}},
      .json = {},
      .examples = {{{"toy infer model.gguf --prompt \"Once upon a time\"", "continue a text"},
                    {"toy list", "find models on this machine"}}},
      .run = nullptr};
  return self;
}

std::span<const std::string_view> exit_codes() {
  static constexpr std::array<std::string_view, 3> meanings = {
      "done; also when interrupted in good order, which the answer says, and when nobody reads the answer any more",
      "it failed: a bad file, no memory", "you asked wrongly: an unknown flag, a value out of range"};
  return meanings;
}

}  // namespace toy::cli

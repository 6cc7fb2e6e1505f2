// The table of verbs. Help, parsing, dispatch, the manifest and docs/cli.md are all made from it.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace toy::cli {

class Arguments;
class Console;

/// What the value of an option looks like.
enum class Type : std::uint8_t { flag, text, path, integer, integers, number, choice };
/// "flag", "text", ..., as the manifest names them.
std::string_view name(Type type);

struct Option {
  std::string name;       // "--threads"
  std::string metavar{};  // "N"; empty for a flag
  Type type = Type::flag;
  std::string help{};
  std::string brief{};           // "-t"
  std::string fallback{};        // the value when the option is absent
  std::string fallback_words{};  // or what happens then
  std::vector<std::string> choices{};
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
  bool above_min = false;  // min itself is too small
  bool repeatable = false;
};

struct Positional {
  std::string name;  // "MODEL"
  std::string help;
  bool required = true;
  bool many = false;
};

/// One key of a JSON answer. The path of an element of an array ends in "[]", of a member of an object in ".key".
struct Field {
  std::string path;  // "tokens[].logprob"
  std::string type;  // "integer", "number", "string", "boolean", "object", "array"; alternatives with " or "
  std::string help;
  bool always = true;
};

/// What a verb prints with --json, and when.
struct JsonForm {
  std::string when;  // "--dry-run"; empty: otherwise
  std::vector<Field> fields;
};

struct Example {
  std::string command;
  std::string help;
};

struct Verb {
  std::string name;     // "runs", or two words: "runs show" belongs to the group "runs"
  std::string summary;  // one line
  std::string details;  // a paragraph, may be empty
  std::vector<Positional> positionals;
  std::vector<Option> options;
  std::vector<JsonForm> json;
  std::array<Example, 2> examples;
  void (*run)(const Arguments&, Console&) = nullptr;
};

/// All verbs, in the order of the help. A group need not be a verb of its own.
const std::vector<Verb>& verbs();
/// The first word of every verb, each once.
std::vector<std::string> groups();
/// The verbs whose first of two words is `group`.
std::vector<const Verb*> verbs_of(std::string_view group);
/// What the program itself takes instead of a verb: --help, --version, --manifest, --markdown.
const Verb& program();

// One file of verbs/ each.
Verb infer_verb();
Verb eval_verb();
Verb list_verb();
Verb describe_verb();
Verb tokenize_verb();
Verb bench_verb();
Verb train_from_scratch_verb();
Verb train_autotune_verb();
Verb runs_verb();
Verb runs_show_verb();
Verb runs_compare_verb();
Verb runs_rm_verb();

/// Meanings of the exit codes 0, 1 and 2.
std::span<const std::string_view> exit_codes();

}  // namespace toy::cli

#include "toy/cli/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "toy/cli/arguments.h"

namespace toy::cli {

namespace {

std::string default_of(const Option& option) {
  return option.fallback.empty() ? option.fallback_words : option.fallback;
}

/// "--kv f16|f32|q8_0"
std::string form(const Option& option) {
  std::string text = option.brief.empty() ? option.name : option.brief + ", " + option.name;
  if (option.type == Type::choice) {
    text += fmt::format(" {}", fmt::join(option.choices, "|"));
  } else if (!option.metavar.empty()) {
    text += " " + option.metavar;
  }
  return text;
}

std::string usage(const Verb& verb) {
  std::string text = verb.run == nullptr ? "toy" : "toy " + verb.name;
  for (const Positional& p : verb.positionals) {
    const std::string name = p.name + (p.many ? "..." : "");
    text += p.required ? " " + name : " [" + name + "]";
  }
  return text + " [options]";
}

std::string rows(const std::vector<std::pair<std::string, std::string>>& table) {
  constexpr std::size_t most = 28;
  std::size_t width = 0;
  for (const auto& [left, right] : table) width = std::max(width, std::min(left.size(), most));
  std::string text;
  for (const auto& [left, right] : table) {
    if (left.size() > most) {
      text += fmt::format("  {}\n  {:{}}  {}\n", left, "", width, right);
    } else {
      text += fmt::format("  {:{}}  {}\n", left, width, right);
    }
  }
  return text;
}

std::string option_rows(const Verb& verb) {
  std::vector<std::pair<std::string, std::string>> table;
  for (const Option& option : all_options(verb)) {
    const std::string value = default_of(option);
    std::string help = option.help;
    if (option.repeatable) help += "; may be repeated";
    if (!value.empty()) help += fmt::format(" (default: {})", value);
    table.emplace_back(form(option), help);
  }
  return rows(table);
}

std::string example_rows(const Verb& verb) {
  std::string text = "\nExamples:\n";
  for (const Example& example : verb.examples) text += fmt::format("  # {}\n  {}\n", example.help, example.command);
  return text;
}

std::string verb_rows(const std::string& group) {
  std::vector<std::pair<std::string, std::string>> table;
  for (const Verb* verb : verbs_of(group)) table.emplace_back(verb->name, verb->summary);
  return table.empty() ? "" : "\nVerbs:\n" + rows(table);
}

/// A cell of a Markdown table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string verb_markdown(const Verb& verb) {
  std::string text = fmt::format("\n## toy {}\n\n{}.\n\n", verb.name, verb.summary);
  if (!verb.details.empty()) text += verb.details + "\n\n";
  text += fmt::format("    {}\n\n", usage(verb));
  for (const Positional& p : verb.positionals) text += fmt::format("- `{}`: {}\n", p.name, p.help);
  text += fmt::format("{}| option | meaning | default |\n|---|---|---|\n", verb.positionals.empty() ? "" : "\n");
  for (const Option& option : all_options(verb)) {
    text += fmt::format("| `{}` | {}{} | {} |\n", cell(form(option)), cell(option.help),
                        option.repeatable ? "; may be repeated" : "", cell(default_of(option)));
  }
  for (const JsonForm& json : verb.json) {
    text += fmt::format("\nJSON{}:\n\n| key | type | meaning |\n|---|---|---|\n",
                        json.when.empty() ? "" : fmt::format(" with `{}`", json.when));
    for (const Field& f : json.fields) {
      text +=
          fmt::format("| `{}` | {} | {}{} |\n", cell(f.path), f.type, cell(f.help), f.always ? "" : " (not always)");
    }
  }
  text += "\nExamples:\n";
  for (const Example& e : verb.examples) text += fmt::format("\n    # {}\n    {}\n", e.help, e.command);
  return text;
}

}  // namespace

std::string program_help() {
  std::string text = fmt::format("toy: {}\n\nUsage: toy VERB [options]\n\nVerbs:\n", program().summary);
  std::vector<std::pair<std::string, std::string>> table;
  for (const Verb& verb : verbs()) table.emplace_back(verb.name, verb.summary);
  text += rows(table) + "\nOptions:\n" + option_rows(program());
  text +=
      "\ntoy help VERB explains a verb, as toy VERB --help does. Answers go to stdout, everything else to "
      "stderr.\nExit codes:\n";
  for (std::size_t code = 0; code < exit_codes().size(); ++code) {
    text += fmt::format("  {}  {}\n", code, exit_codes()[code]);
  }
  return text + example_rows(program());
}

std::string verb_help(const Verb& verb) {
  std::string text = fmt::format("toy {}: {}\n\nUsage: {}\n", verb.name, verb.summary, usage(verb));
  if (!verb.details.empty()) text += "\n" + verb.details + "\n";
  if (!verb.positionals.empty()) {
    std::vector<std::pair<std::string, std::string>> table;
    for (const Positional& p : verb.positionals) table.emplace_back(p.name, p.help);
    text += "\nArguments:\n" + rows(table);
  }
  return text + verb_rows(verb.name) + "\nOptions:\n" + option_rows(verb) + example_rows(verb);
}

std::string group_help(const std::string& group) {
  return fmt::format("Usage: toy {} VERB [options]\n{}\ntoy {} VERB --help explains a verb.\n", group, verb_rows(group),
                     group);
}

std::string markdown() {
  std::string text = fmt::format(
      "# The program\n\n`toy`: {}.\n\nThis page is made from the program's own table of verbs: `make docs`. "
      "`toy --manifest` prints the same as JSON.\nAnswers go to stdout, everything else to stderr.\n\n"
      "| exit code | meaning |\n|---|---|\n",
      program().summary);
  for (std::size_t code = 0; code < exit_codes().size(); ++code) {
    text += fmt::format("| {} | {} |\n", code, exit_codes()[code]);
  }
  text += "\n| verb | what it does |\n|---|---|\n";
  for (const Verb& verb : verbs()) {
    std::string anchor = "toy-" + verb.name;
    std::ranges::replace(anchor, ' ', '-');
    text += fmt::format("| [{}](#{}) | {} |\n", verb.name, anchor, verb.summary);
  }
  text += "\n| option of the program | meaning |\n|---|---|\n";
  for (const Option& o : program().options) text += fmt::format("| `{}` | {} |\n", form(o), o.help);
  for (const Verb& verb : verbs()) text += verb_markdown(verb);
  return text;
}

}  // namespace toy::cli

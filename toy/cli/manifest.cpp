#include "toy/cli/manifest.h"

#include "toy/cli/arguments.h"
#include "toy/cli/json.h"
#include "toy/cli/registry.h"

namespace toy::cli {

namespace {

Json option_json(const Option& option) {
  Json json{{"name", option.name}, {"type", name(option.type)}, {"help", option.help}};
  if (!option.brief.empty()) json["short"] = option.brief;
  if (!option.metavar.empty()) json["metavar"] = option.metavar;
  if (!option.fallback.empty()) json["default"] = option.fallback;
  if (!option.fallback_words.empty()) json["default_words"] = option.fallback_words;
  if (!option.choices.empty()) json["choices"] = option.choices;
  if (option.min != std::numeric_limits<double>::lowest()) json["min"] = option.min;
  if (option.max != std::numeric_limits<double>::max()) json["max"] = option.max;
  if (option.above_min) json["above_min"] = true;
  json["repeatable"] = option.repeatable;
  return json;
}

Json options_json(const Verb& verb) {
  Json list = Json::array();
  for (const Option& option : all_options(verb)) list.push_back(option_json(option));
  return list;
}

Json forms_json(const Verb& verb) {
  Json forms = Json::array();
  for (const JsonForm& form : verb.json) {
    Json fields = Json::array();
    for (const Field& f : form.fields) {
      fields.push_back({{"path", f.path}, {"type", f.type}, {"help", f.help}, {"always", f.always}});
    }
    forms.push_back({{"when", form.when}, {"fields", fields}});
  }
  return forms;
}

Json verb_json(const Verb& verb) {
  Json positionals = Json::array(), examples = Json::array();
  for (const Positional& p : verb.positionals) {
    positionals.push_back({{"name", p.name}, {"help", p.help}, {"required", p.required}, {"many", p.many}});
  }
  for (const Example& e : verb.examples) examples.push_back({{"command", e.command}, {"help", e.help}});
  return {{"name", verb.name},          {"summary", verb.summary},       {"details", verb.details},
          {"positionals", positionals}, {"options", options_json(verb)}, {"json", forms_json(verb)},
          {"examples", examples}};
}

}  // namespace

std::string manifest() {
  Json codes = Json::object(), list = Json::array();
  for (std::size_t code = 0; code < exit_codes().size(); ++code) codes[std::to_string(code)] = exit_codes()[code];
  for (const Verb& verb : verbs()) list.push_back(verb_json(verb));
  const Json json{{"schema", "toy/manifest-v1"},
                  {"program", "toy"},
                  {"version", TOY_VERSION},
                  {"summary", program().summary},
                  {"exit_codes", codes},
                  {"options", options_json(program())},
                  {"verbs", list}};
  return json.dump(2) + "\n";
}

}  // namespace toy::cli

#include "toy/cli/arguments.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "toy/tensor/error.h"

namespace toy::cli {

namespace {

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "1,2,3"
std::optional<std::vector<std::int32_t>> parse_integers(std::string_view text) {
  std::vector<std::int32_t> values;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string_view part = text.substr(begin, end - begin);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    const auto value = parse_number<std::int32_t>(part);
    if (!value) return std::nullopt;
    values.push_back(*value);
    begin = end + 1;
  }
  return values;
}

void check_range(const Option& option, double value, std::string_view text) {
  if (value >= option.min && value <= option.max) return;
  if (option.max == std::numeric_limits<double>::max()) {
    refuse("{}: expected {} or more, found {}", option.name, option.min, text);
  }
  refuse("{}: expected {} to {}, found {}", option.name, option.min, option.max, text);
}

/// Refuses a value that its option's type or range does not admit.
void check_value(const Option& option, const std::string& text) {
  switch (option.type) {
    case Type::flag:
      if (text != "true" && text != "false") refuse("{}: takes no value, found '{}'", option.name, text);
      break;
    case Type::text:
    case Type::path:
      break;
    case Type::integer: {
      const auto value = parse_number<std::int64_t>(text);
      if (!value) refuse("{}: expected a whole number, found '{}'", option.name, text);
      check_range(option, static_cast<double>(*value), text);
      break;
    }
    case Type::integers: {
      const auto values = parse_integers(text);
      if (!values) refuse("{}: expected whole numbers like 1,2,3, found '{}'", option.name, text);
      for (const std::int32_t value : *values) check_range(option, value, fmt::to_string(value));
      break;
    }
    case Type::number: {
      const auto value = parse_number<double>(text);
      if (!value || *value != *value) refuse("{}: expected a number, found '{}'", option.name, text);
      check_range(option, *value, text);
      break;
    }
    case Type::choice:
      if (std::ranges::find(option.choices, text) == option.choices.end()) {
        refuse("{}: expected {}, found '{}'", option.name, fmt::join(option.choices, ", "), text);
      }
      break;
  }
}

/// Number of letters to insert, remove, replace or swap with a neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  std::iota(d[0].begin(), d[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

[[noreturn]] void refuse_unknown_flag(const Verb& verb, std::string_view word) {
  const std::string flag(word.substr(0, word.find('=')));
  std::vector<std::string> known;
  for (const Option& option : all_options(verb)) {
    known.push_back(option.name);
    if (!option.brief.empty()) known.push_back(option.brief);
  }
  const auto near = did_you_mean(flag, known);
  const std::string command = verb.run == nullptr ? "toy" : "toy " + verb.name;
  if (near) refuse("unknown flag {}; did you mean {}? ({} --help lists them)", flag, *near, command);
  refuse("unknown flag {}; {} --help lists those of {}", flag, command, command);
}

}  // namespace

std::vector<Option> common_options(const Verb& verb) {
  if (verb.run == nullptr) return {};
  return {{.name = "--json", .help = "print one JSON object"},
          {.name = "--quiet", .help = "no notes on stderr", .brief = "-q"},
          {.name = "--help", .help = "show this help", .brief = "-h"}};
}

std::vector<Option> all_options(const Verb& verb) {
  std::vector<Option> options = verb.options;
  std::ranges::move(common_options(verb), std::back_inserter(options));
  return options;
}

std::optional<std::string> did_you_mean(std::string_view wrong, std::span<const std::string> known) {
  std::optional<std::string> nearest;
  std::size_t least = std::max<std::size_t>(1, std::min<std::size_t>(wrong.size() / 2, 4));
  for (const std::string& name : known) {
    const std::size_t distance = edit_distance(wrong.substr(0, 64), name);
    if (distance > least || (nearest && distance == least)) continue;
    nearest = name;
    least = distance;
  }
  return nearest;
}

Arguments Arguments::parse(const Verb& verb, std::span<const std::string> words) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  const std::vector<Option> options = all_options(verb);
  std::vector<CLI::Option*> handles;
  for (const Option& option : options) {
    const std::string names = option.brief.empty() ? option.name : option.name + "," + option.brief;
    CLI::Option* const handle = option.type == Type::flag ? app.add_flag(names) : app.add_option(names)->expected(1);
    handles.push_back(handle->multi_option_policy(CLI::MultiOptionPolicy::TakeAll));
  }
  const bool many = !verb.positionals.empty() && verb.positionals.back().many;

  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ArgumentMismatch&) {
    refuse("{}: expected a value after it", words.back());
  } catch (const CLI::ParseError& error) {
    refuse("{}", error.what());
  }

  Arguments arguments;
  arguments.verb_ = &verb;
  arguments.words_.assign(words.begin(), words.end());
  for (std::size_t i = 0; i < options.size(); ++i) {
    const auto values = handles[i]->results();
    if (values.empty() || (options[i].type == Type::flag && values.back() == "false")) continue;
    if (values.size() > 1 && !options[i].repeatable && options[i].type != Type::flag) {
      refuse("{}: given {} times, expected once", options[i].name, values.size());
    }
    for (const std::string& value : values) check_value(options[i], value);
    arguments.values_[options[i].name] = values;
  }
  bool flags_end = false;
  for (std::string& word : app.remaining()) {
    if (word == "--" && !flags_end) {
      flags_end = true;
      continue;
    }
    if (!flags_end && word.size() > 1 && word.starts_with('-')) refuse_unknown_flag(verb, word);
    arguments.positionals_.push_back(std::move(word));
  }
  if (arguments.wants_help()) return arguments;
  for (std::size_t i = 0; i < verb.positionals.size(); ++i) {
    if (verb.positionals[i].required && arguments.positionals_.size() <= i) {
      refuse("{}: expected {}: {}", verb.name, verb.positionals[i].name, verb.positionals[i].help);
    }
  }
  if (!many && arguments.positionals_.size() > verb.positionals.size()) {
    refuse("{}: unexpected argument '{}'", verb.name, arguments.positionals_[verb.positionals.size()]);
  }
  return arguments;
}

const Option& Arguments::option(std::string_view name) const {
  const auto found = std::ranges::find(verb_->options, name, &Option::name);
  if (found == verb_->options.end()) fail("the table of {} has no option {}", verb_->name, name);
  return *found;
}

std::optional<std::string> Arguments::text(std::string_view name) const {
  const auto found = values_.find(name);
  if (found != values_.end()) return found->second.back();
  const std::string& fallback = option(name).fallback;
  if (fallback.empty()) return std::nullopt;
  return fallback;
}

std::optional<std::int64_t> Arguments::integer(std::string_view name) const {
  const auto value = text(name);
  return value ? parse_number<std::int64_t>(*value) : std::nullopt;
}

std::optional<double> Arguments::number(std::string_view name) const {
  const auto value = text(name);
  return value ? parse_number<double>(*value) : std::nullopt;
}

std::optional<std::vector<std::int32_t>> Arguments::integers(std::string_view name) const {
  const auto value = text(name);
  return value ? parse_integers(*value) : std::nullopt;
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

void Arguments::at_most_one(std::initializer_list<std::string_view> options) const {
  std::vector<std::string_view> given;
  for (const std::string_view name : options) {
    if (has(name)) given.push_back(name);
  }
  if (given.size() > 1) refuse("give only one of {}", fmt::join(given, ", "));
}

}  // namespace toy::cli

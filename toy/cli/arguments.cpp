#include "toy/cli/arguments.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <numeric>
#include <type_traits>

#include "toy/cli/hints.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy::cli {

namespace {

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>) {
    // One that is too large for a double is infinite, one that is too small 0.
    if (error == std::errc::result_out_of_range) return std::strtod(std::string(text).c_str(), nullptr);
  }
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

/// True for a whole number that T cannot hold.
template <class T>
bool is_beyond(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc::result_out_of_range && end == text.data() + text.size();
}

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string_view part = text.substr(begin, end - begin);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    parts.push_back(part);
    begin = end + 1;
  }
  return parts;
}

/// "1,2,3"
std::optional<std::vector<std::int32_t>> parse_integers(std::string_view text) {
  std::vector<std::int32_t> values;
  for (const std::string_view part : parts_of(text)) {
    const auto value = parse_number<std::int32_t>(part);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

/// The range of an option whose values are a T.
template <class T>
[[noreturn]] void refuse_range(const Option& option, std::string_view text) {
  constexpr T least = std::numeric_limits<T>::lowest(), most = std::numeric_limits<T>::max();
  const T min = option.min > static_cast<double>(least) ? static_cast<T>(option.min) : least;
  const T max = option.max < static_cast<double>(most) ? static_cast<T>(option.max) : most;
  refuse("{}: expected {} to {}, found {}", option.name, min, max, in_quotes(text));
}

void check_range(const Option& option, double value, std::string_view text) {
  const bool enough = option.above_min ? value > option.min : value >= option.min;
  if (enough && value <= option.max) return;
  if (option.above_min) {
    refuse("{}: expected more than {} and at most {}, found {}", option.name, option.min, option.max, in_quotes(text));
  }
  if (option.max == std::numeric_limits<double>::max() && value < option.min) {
    refuse("{}: expected {} or more, found {}", option.name, option.min, in_quotes(text));
  }
  refuse_range<double>(option, text);
}

void check_integers(const Option& option, std::string_view text) {
  for (const std::string_view part : parts_of(text)) {
    const auto value = parse_number<std::int32_t>(part);
    if (!value && is_beyond<std::int32_t>(part)) refuse_range<std::int32_t>(option, part);
    if (!value) refuse("{}: expected whole numbers like 1,2,3, found {}", option.name, in_quotes(text));
    check_range(option, *value, part);
  }
}

/// Refuses a value that its option's type or range does not admit.
void check_value(const Option& option, const std::string& text) {
  switch (option.type) {
    case Type::flag:
      if (text != "true" && text != "false") refuse("{}: takes no value, found {}", option.name, in_quotes(text));
      break;
    case Type::text:
      break;
    case Type::path:
      if (text.empty()) refuse("{}: expected a path, found ''", option.name);
      break;
    case Type::integer: {
      const auto value = parse_number<std::int64_t>(text);
      if (!value && is_beyond<std::int64_t>(text)) refuse_range<std::int64_t>(option, text);
      if (!value) refuse("{}: expected a whole number, found {}", option.name, in_quotes(text));
      check_range(option, static_cast<double>(*value), text);
      break;
    }
    case Type::integers:
      check_integers(option, text);
      break;
    case Type::number: {
      const auto value = parse_number<double>(text);
      if (!value || *value != *value) refuse("{}: expected a number, found {}", option.name, in_quotes(text));
      check_range(option, *value, text);
      break;
    }
    case Type::choice:
      if (std::ranges::find(option.choices, text) == option.choices.end()) {
        refuse("{}: expected {}, found {}", option.name, fmt::join(option.choices, ", "), in_quotes(text));
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
  const std::string command = verb.run == nullptr ? "toy" : "toy " + verb.name;
  if (const auto hint = hint_for_flag(verb, flag)) {
    refuse("unknown flag {}: {} ({} --help lists them)", in_quotes(flag), *hint, command);
  }
  const auto near = did_you_mean(flag, known);
  if (near) refuse("unknown flag {}; did you mean {}? ({} --help lists them)", in_quotes(flag), *near, command);
  refuse("unknown flag {}; {} --help lists those of {}", in_quotes(flag), command, command);
}

/// "-n=5" is "-n" and "5" where the value cannot be a text that begins with "=".
bool is_short_with_number(std::span<const Option> options, std::string_view word) {
  if (word.size() < 3 || word[0] != '-' || word[1] == '-' || word[2] != '=') return false;
  const auto option = std::ranges::find(options, word.substr(0, 2), &Option::brief);
  return option != options.end() &&
         (option->type == Type::integer || option->type == Type::integers || option->type == Type::number);
}

/// The words, "--flag=" as the flag and an empty value: CLI11 takes the next word for its value. A flag of other
/// programs is refused here: of "-ngl" CLI11 makes "-n gl".
std::vector<std::string> with_empty_values(const Verb& verb, std::span<const Option> options,
                                           std::span<const std::string> words) {
  std::vector<std::string> parts;
  bool is_value = false, flags_end = false;
  for (const std::string& word : words) {
    if (!is_value && !flags_end && hint_for_flag(verb, word.substr(0, word.find('=')))) refuse_unknown_flag(verb, word);
    if (!is_value && !flags_end && is_short_with_number(options, word)) {
      parts.push_back(word.substr(0, 2));
      parts.push_back(word.substr(3));
      continue;
    }
    const bool empty = word.starts_with("--") && word.ends_with('=') && !is_value && !flags_end;
    const std::string name = word.substr(0, word.size() - (empty ? 1 : 0));
    const auto option = std::ranges::find_if(
        options, [&](const Option& o) { return o.name == name || (!o.brief.empty() && o.brief == name); });
    const bool known = option != options.end();
    if (empty && known && option->type == Type::flag) refuse("{}: takes no value, found ''", name);
    parts.push_back(empty && known ? name : word);
    if (empty && known) parts.emplace_back();
    flags_end = flags_end || (word == "--" && !is_value);
    is_value = known && !empty && !is_value && !flags_end && option->type != Type::flag;
  }
  return parts;
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

  Arguments arguments;
  arguments.verb_ = &verb;
  arguments.words_.assign(words.begin(), words.end());
  // Help is given whatever else is wrong.
  const auto only_help = [&] {
    arguments.values_ = {{"--help", {"true"}}};
    return arguments;
  };
  const bool asks_help = std::ranges::any_of(words, [](const std::string& w) { return w == "--help" || w == "-h"; });
  try {
    const std::vector<std::string> parts = with_empty_values(verb, options, words);
    std::vector<std::string> reversed(parts.rbegin(), parts.rend());
    app.parse(reversed);
  } catch (const Error&) {
    if (asks_help) return only_help();
    throw;
  } catch (const CLI::ParseError& error) {
    if (asks_help) return only_help();
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) == nullptr) refuse("{}", in_quotes(error.what(), 200));
    const bool is_long = words.back().size() > 80;
    refuse("{}: expected a value after it", is_long ? in_quotes(words.back()) : words.back());
  }
  const auto help = std::ranges::find(options, "--help", &Option::name);
  if (help != options.end()) {
    const auto values = handles[static_cast<std::size_t>(help - options.begin())]->results();
    if (!values.empty() && values.back() != "false") return only_help();
  }
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
  for (std::size_t i = 0; i < verb.positionals.size(); ++i) {
    const bool empty = i < arguments.positionals_.size() && arguments.positionals_[i].empty();
    if (empty) refuse("{}: {} is empty; expected {}", verb.name, verb.positionals[i].name, verb.positionals[i].help);
    if (verb.positionals[i].required && arguments.positionals_.size() <= i) {
      refuse("{}: expected {}: {}", verb.name, verb.positionals[i].name, verb.positionals[i].help);
    }
  }
  if (!many && arguments.positionals_.size() > verb.positionals.size()) {
    refuse("{}: unexpected argument {}", verb.name, in_quotes(arguments.positionals_[verb.positionals.size()]));
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

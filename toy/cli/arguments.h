// The values of a command line, checked against the table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "toy/cli/registry.h"

namespace toy::cli {

class Arguments {
 public:
  /// Parses what follows the verb. Errors: an unknown flag (with the nearest known one), a missing or repeated value, a
  /// value of the wrong form or out of range.
  static Arguments parse(const Verb& verb, std::span<const std::string> words);

  bool has(std::string_view option) const { return values_.contains(option); }
  /// The value, the fallback of the table, or nothing.
  std::optional<std::string> text(std::string_view option) const;
  std::optional<std::int64_t> integer(std::string_view option) const;
  std::optional<double> number(std::string_view option) const;
  std::optional<std::vector<std::int32_t>> integers(std::string_view option) const;
  /// Every value of a repeatable option.
  std::vector<std::string> all(std::string_view option) const;

  /// A required positional.
  const std::string& positional(std::size_t i) const { return positionals_.at(i); }
  const std::vector<std::string>& positionals() const { return positionals_; }
  /// As they were given.
  const std::vector<std::string>& words() const { return words_; }
  bool wants_help() const { return has("--help"); }

  /// Errors: more than one of the options is given.
  void at_most_one(std::initializer_list<std::string_view> options) const;

 private:
  const Option& option(std::string_view name) const;

  const Verb* verb_ = nullptr;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> positionals_;
  std::vector<std::string> words_;
};

/// Options of every verb: --help, and --json and --quiet for those that print JSON.
std::vector<Option> common_options(const Verb& verb);
/// The verb's own options and the common ones.
std::vector<Option> all_options(const Verb& verb);

/// The name nearest to `wrong`, if one is near enough to be meant.
std::optional<std::string> did_you_mean(std::string_view wrong, std::span<const std::string> known);

}  // namespace toy::cli

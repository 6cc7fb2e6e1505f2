#include "toy/cli/sampling.h"

#include <fmt/ranges.h>

#include <random>
#include <string_view>

#include "toy/io/plural.h"

namespace toy::cli {

std::vector<Option> sampling_options() {
  return {{.name = "--temp",
           .metavar = "X",
           .type = Type::number,
           .help = "temperature; 0 takes the most likely token",
           .fallback_words = "0, or 1 with any of the four below",
           .min = 0,
           .max = 1000},
          {.name = "--top-k",
           .metavar = "K",
           .type = Type::integer,
           .help = "sample among the K most likely tokens; 0: all",
           .fallback = "0",
           .min = 0,
           .max = 1 << 30},
          {.name = "--top-p",
           .metavar = "P",
           .type = Type::number,
           .help = "sample among the fewest tokens with this probability together",
           .fallback = "1",
           .min = 0,
           .max = 1,
           .above_min = true},
          {.name = "--min-p",
           .metavar = "P",
           .type = Type::number,
           .help = "drop tokens below this share of the largest probability",
           .fallback = "0",
           .min = 0,
           .max = 1},
          {.name = "--seed",
           .metavar = "N",
           .type = Type::integer,
           .help = "seed of the sampling",
           .fallback_words = "a new one each time, which is printed",
           .min = 0}};
}

SamplingOptions sampling_of(const Arguments& a, const Console& console) {
  std::vector<std::string_view> given;
  for (const std::string_view name : {"--top-k", "--top-p", "--min-p", "--seed"}) {
    if (a.has(name)) given.push_back(name);
  }
  SamplingOptions options;
  options.temperature = static_cast<float>(a.number("--temp").value_or(given.empty() ? 0 : 1));
  options.top_k = static_cast<int>(*a.integer("--top-k"));
  options.top_p = static_cast<float>(*a.number("--top-p"));
  options.min_p = static_cast<float>(*a.number("--min-p"));
  const std::string names = fmt::format("{}", fmt::join(given, ", "));
  if (!given.empty() && options.temperature == 0) {
    console.note("note: with --temp 0, which takes the most likely token, {} {} no effect", names,
                 plural(given.size(), "has", "have"));
  } else if (!given.empty() && !a.has("--temp")) {
    console.note("note: {} {} for sampling: --temp is 1", names, plural(given.size(), "asks", "ask"));
  }
  if (options.temperature > 0) {
    const auto seed = a.integer("--seed");
    options.seed = seed ? static_cast<std::uint64_t>(*seed) : std::random_device()();
  }
  return options;
}

}  // namespace toy::cli

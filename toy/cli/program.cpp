#include "toy/cli/program.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <malloc.h>
#include <new>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/cli/format.h"
#include "toy/cli/help.h"
#include "toy/cli/hints.h"
#include "toy/cli/linked.h"
#include "toy/cli/manifest.h"
#include "toy/cli/registry.h"
#include "toy/cli/signals.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy::cli {

namespace {

void run_program(std::span<const std::string> words, Console& console) {
  const Arguments arguments = Arguments::parse(program(), words);
  if (arguments.has("--help")) {
    console.print(program_help());
  } else if (arguments.has("--version")) {
    console.print("toy " TOY_VERSION "\n");
    if (arguments.has("--verbose")) console.print("\n" + linked_libraries());
  } else if (arguments.has("--manifest")) {
    console.print(manifest());
  } else if (arguments.has("--markdown")) {
    console.print(markdown());
  } else {
    refuse("expected a verb: {}; toy --help explains them", fmt::join(groups(), ", "));
  }
}

const Verb* find_verb(std::string_view name) {
  const auto verb = std::ranges::find(verbs(), name, &Verb::name);
  return verb == verbs().end() ? nullptr : &*verb;
}

/// "'runs shw'; did you mean runs show? (toy runs --help lists them)": a second word that is none of the group's.
[[noreturn]] void refuse_in_group(const std::string& group, const std::string& word) {
  std::vector<std::string> words, names;
  for (const Verb* verb : verbs_of(group)) {
    words.push_back(verb->name.substr(group.size() + 1));
    names.push_back(verb->name);
  }
  const std::string unknown = in_quotes(group + " " + word);
  if (const auto hint = hint_for_verb(word); hint && group == "train") {
    refuse("unknown verb {}: {}; known: {}", unknown, *hint, fmt::join(names, ", "));
  }
  const auto near = did_you_mean(word, words);
  if (near) refuse("unknown verb {0}; did you mean {1} {2}? (toy {1} --help lists them)", unknown, group, *near);
  refuse("unknown verb {}; known: {}", unknown, fmt::join(names, ", "));
}

/// The verb that the first word or the first two name; null for a group that is no verb, when only --help follows it.
const Verb* choose_verb(std::span<const std::string> words) {
  const std::string& first = words[0];
  const bool more = words.size() > 1;
  if (more) {
    if (const Verb* verb = find_verb(first + " " + words[1])) return verb;
  }
  const Verb* const verb = find_verb(first);
  const auto members = verbs_of(first);
  if (verb == nullptr && members.empty()) {
    if (const auto hint = hint_for_verb(first)) {
      refuse("unknown verb {}: {} (toy --help lists them)", in_quotes(first), *hint);
    }
    const auto near = did_you_mean(first, groups());
    if (near) refuse("unknown verb {}; did you mean {}? (toy --help lists them)", in_quotes(first), *near);
    refuse("unknown verb {}; known: {}", in_quotes(first), fmt::join(groups(), ", "));
  }
  const bool takes_words = verb != nullptr && !verb->positionals.empty();
  if (!members.empty() && !takes_words && more && !words[1].starts_with('-')) refuse_in_group(first, words[1]);
  if (verb == nullptr && (!more || (words[1] != "--help" && words[1] != "-h"))) {
    refuse("{0}: expected a verb after it, like {1}; toy {0} --help lists them", first, members.front()->name);
  }
  return verb;
}

/// toy help, toy help VERB, with one word or two.
void run_help(std::span<const std::string> words, Console& console) {
  if (words.empty() || words.front().starts_with('-')) return console.print(program_help());
  const std::vector<std::string> asked{words.begin(), words.end()};
  std::vector<std::string> with_flag{asked.front()};
  if (asked.size() > 1 && !asked[1].starts_with('-')) with_flag.push_back(asked[1]);
  const bool alone = with_flag.size() == 1;
  with_flag.emplace_back("--help");
  const Verb* const verb = choose_verb(with_flag);
  if (verb == nullptr) return console.print(group_help(asked.front()));
  const bool two_words = verb->name.find(' ') != std::string::npos;
  if (!alone && !two_words) refuse("help: {} has no verb {}", verb->name, in_quotes(asked[1]));
  console.print(verb_help(*verb));
}

void run_words(std::span<const std::string> words, Console& console) {
  if (words.empty()) return console.print(program_help());
  if (words.front() == "help") return run_help(words.subspan(1), console);
  if (words.front() == "version") return console.print("toy " TOY_VERSION "\n");
  if (words.front().starts_with('-')) return run_program(words, console);
  const Verb* const verb = choose_verb(words);
  if (verb == nullptr) return console.print(group_help(words.front()));
  const auto own_words = verb->name.find(' ') == std::string::npos ? 1U : 2U;
  const Arguments arguments = Arguments::parse(*verb, words.subspan(own_words));
  if (arguments.wants_help()) return console.print(verb_help(*verb));
  console.set_quiet(arguments.has("--quiet"));
  verb->run(arguments, console);
}

}  // namespace

int run(std::span<const std::string> words, const std::string& called) {
  open_standard_streams();
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);  // larger blocks go back to the system when they are freed
  leave_failures_to_write();
  try {
    Console console;
    if (called.find('/') != std::string::npos) console.set_program(shell_word(called));
    run_words(words, console);
    console.flush();
    return 0;
  } catch (const ClosedOutput&) {
    return 0;
  } catch (const Error& error) {
    Console::error(error.what());
    return error.fault() == Fault::asked_wrongly ? 2 : 1;
  } catch (const std::bad_alloc&) {
    Console::error(
        "not enough memory; a smaller --context, --batch-size or model needs less (toy describe and --dry-run show how "
        "much)");
    return 1;
  } catch (const std::exception& error) {
    Console::error(error.what());
    return 1;
  }
}

}  // namespace toy::cli

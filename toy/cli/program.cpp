#include "toy/cli/program.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <new>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/cli/help.h"
#include "toy/cli/manifest.h"
#include "toy/cli/registry.h"
#include "toy/cli/signals.h"
#include "toy/tensor/error.h"

namespace toy::cli {

namespace {

std::vector<std::string> verb_names() {
  std::vector<std::string> names;
  for (const Verb& verb : verbs()) names.push_back(verb.name);
  return names;
}

void run_program(std::span<const std::string> words, Console& console) {
  const Arguments arguments = Arguments::parse(program(), words);
  if (arguments.has("--help")) {
    console.print(program_help());
  } else if (arguments.has("--version")) {
    console.print("toy " TOY_VERSION "\n");
  } else if (arguments.has("--manifest")) {
    console.print(manifest());
  } else if (arguments.has("--markdown")) {
    console.print(markdown());
  } else {
    refuse("expected a verb: {}; toy --help explains them", fmt::join(verb_names(), ", "));
  }
}

void run_words(std::span<const std::string> words, Console& console) {
  if (words.empty() || words.front().starts_with('-')) return run_program(words, console);
  const std::string& name = words.front();
  const auto verb = std::ranges::find(verbs(), name, &Verb::name);
  if (verb == verbs().end()) {
    const auto near = did_you_mean(name, verb_names());
    if (near) refuse("unknown verb '{}'; did you mean {}? (toy --help lists them)", name, *near);
    refuse("unknown verb '{}'; known: {}", name, fmt::join(verb_names(), ", "));
  }
  const Arguments arguments = Arguments::parse(*verb, words.subspan(1));
  if (arguments.wants_help()) return console.print(verb_help(*verb));
  console.set_quiet(arguments.has("--quiet"));
  verb->run(arguments, console);
}

}  // namespace

int run(std::span<const std::string> words) {
  ignore_broken_pipes();
  try {
    Console console;
    run_words(words, console);
    console.flush();
    return 0;
  } catch (const ClosedOutput&) {
    return 0;
  } catch (const Error& error) {
    Console::error(error.what());
    return error.fault() == Fault::asked_wrongly ? 2 : 1;
  } catch (const std::bad_alloc&) {
    Console::error("not enough memory; a smaller --context or model needs less (toy describe shows how much)");
    return 1;
  } catch (const std::exception& error) {
    Console::error(error.what());
    return 1;
  }
}

}  // namespace toy::cli

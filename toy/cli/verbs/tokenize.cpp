// toy tokenize: text to token ids.
#include <span>

#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/model_options.h"
#include "toy/cli/prompt.h"
#include "toy/models/file_kind.h"

namespace toy::cli {

namespace {

/// The object of --json, written as it is made: as a tree it would take a hundred times the bytes of the text.
void print_json(std::span<const std::int32_t> ids, const Tokenizer& tokenizer, Console& console) {
  std::string_view before;
  const auto add = [&](const Json& element) {
    std::string text = line_of(element);
    text.pop_back();
    console.print("{}{}", before, text);
    before = ",";
  };
  console.print("{\"ids\":[");
  for (const std::int32_t id : ids) add(id);
  console.print("],\"pieces\":[");
  before = "";
  for (const std::int32_t id : ids) add(tokenizer.piece(id, true));
  console.print("]}\n");
}

void run(const Arguments& a, Console& console) {
  a.at_most_one({"--text", "--file"});
  const ModelPath found = find_model(a, console);
  if (!a.has("--text") && !a.has("--file")) require_piped_input("--text or --file");
  const GgufFile file = open_header(found);
  require_tokenizer(file);
  const Tokenizer tokenizer = Tokenizer::from_metadata(file.metadata());
  tell_notes(tokenizer.notes(), console);

  const std::string text = a.has("--text") ? *a.text("--text") : read_text(a.text("--file").value_or("-"));
  const auto ids =
      tokenizer.encode(text, {.add_special = !a.has("--no-bos"), .parse_special = a.has("--parse-special")});
  note_two_bos(ids, tokenizer, console);
  if (a.has("--json")) {
    return print_json(ids, tokenizer, console);
  }
  for (const std::int32_t id : ids) console.print("{:>7}  {}\n", id, escaped(tokenizer.piece(id, true)));
}

}  // namespace

Verb tokenize_verb() {
  return {.name = "tokenize",
          .summary = "show the tokens of a text",
          .details =
              "One line per token: its id, and the bytes it stands for. The text is --text, --file or else "
              "standard input.",
          .positionals = {model_positional()},
          .options =
              {{.name = "--text", .metavar = "TEXT", .type = Type::text, .help = "the text"},
               {.name = "--file", .metavar = "PATH", .type = Type::path, .help = "a file with it; - is standard input"},
               {.name = "--no-bos", .help = "without the tokens that the model wants around a text"},
               {.name = "--parse-special", .help = "spellings of control tokens become those tokens"}},
          .json = {{"",
                    {{"ids", "array", "token ids"},
                     {"ids[]", "integer", "", false},
                     {"pieces", "array", "the text that each stands for; parts of characters become U+FFFD"},
                     {"pieces[]", "string", "", false}}}},
          .examples = {{{"toy tokenize model.gguf --text \"Hello, world\"", "the tokens of a text"},
                        {"toy tokenize model.gguf --text \"<s>Hello\" --no-bos --parse-special --json",
                         "control tokens by their spelling, as JSON"}}},
          .run = run};
}

}  // namespace toy::cli

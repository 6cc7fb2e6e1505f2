#include "toy/cli/prompt.h"

#include "toy/cli/format.h"
#include "toy/cli/model_options.h"

namespace toy::cli {

std::vector<Option> prompt_options() {
  return {
      {.name = "--prompt", .metavar = "TEXT", .type = Type::text, .help = "the text to continue", .brief = "-p"},
      {.name = "--prompt-file", .metavar = "PATH", .type = Type::path, .help = "a file with it; - is standard input"},
      {.name = "--prompt-ids", .metavar = "1,2,3", .type = Type::integers, .help = "token ids, used as they are"},
      {.name = "--keep-newline", .help = "keep the last line break of a prompt from a file or pipe"},
      {.name = "--parse-special", .help = "spellings of control tokens in the prompt become those tokens"}};
}

void check_prompt_options(const Arguments& a) {
  a.at_most_one({"--prompt", "--prompt-file", "--prompt-ids"});
  a.at_most_one({"--prompt", "--keep-newline"});
  a.at_most_one({"--prompt-ids", "--keep-newline"});
  a.at_most_one({"--prompt-ids", "--parse-special"});
}

void require_prompt(const Arguments& a) {
  if (a.has("--prompt") || a.has("--prompt-file") || a.has("--prompt-ids")) return;
  require_piped_input("--prompt, --prompt-file or --prompt-ids");
}

std::string prompt_text(const Arguments& a, const Console& console) {
  if (a.has("--prompt-ids")) return {};
  if (const auto text = a.text("--prompt")) return *text;
  std::string text = read_text(a.text("--prompt-file").value_or("-"));
  if (a.has("--keep-newline") || !text.ends_with('\n')) return text;
  text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  console.note("note: the last line break of the prompt was dropped; --keep-newline keeps it");
  return text;
}

std::vector<std::int32_t> prompt_ids(const Arguments& a, const LanguageModel& lm, const std::string& text) {
  if (const auto ids = a.integers("--prompt-ids")) return *ids;
  std::vector<std::int32_t> ids =
      lm.text().encode(text, {.add_special = true, .parse_special = a.has("--parse-special")});
  if (ids.empty() && lm.text().bos()) ids.push_back(*lm.text().bos());
  return ids;
}

void note_two_bos(std::span<const std::int32_t> ids, const Tokenizer& tokenizer, const Console& console) {
  const auto bos = tokenizer.bos();
  if (!bos || ids.size() < 2 || ids[0] != *bos || ids[1] != *bos) return;
  console.note(
      "note: the text begins with BOS ({}) twice: {}", escaped(tokenizer.token(*bos)),
      tokenizer.adds_bos() ? "the model gets one anyway, so leave it out of the text" : "models have seen it once");
}

}  // namespace toy::cli

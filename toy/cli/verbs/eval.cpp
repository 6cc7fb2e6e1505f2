// toy eval: how likely a model finds a text.
#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/model_options.h"
#include "toy/cli/signals.h"
#include "toy/generate/score.h"
#include "toy/io/plural.h"

namespace toy::cli {

namespace {

constexpr std::string_view passage_name =
    "the built-in passage (the beginning of Alice's Adventures in Wonderland, Lewis Carroll, 1865)";
constexpr std::string_view passage =
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or "
    "twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it, \"and "
    "what is the use of a book,\" thought Alice, \"without pictures or conversations?\" So she was considering in her "
    "own mind (as well as she could, for the hot day made her feel very sleepy and stupid), whether the pleasure of "
    "making a daisy-chain would be worth the trouble of getting up and picking the daisies, when suddenly a White "
    "Rabbit with pink eyes ran close by her.";

/// What is scored, and what it is called.
struct Source {
  std::string name, text;
};

Source source_of(const Arguments& a, const Console& console) {
  if (a.has("--prompt-ids")) return {"--prompt-ids", {}};
  if (const auto text = a.text("--text")) return {"--text", *text};
  if (const auto path = a.text("--file")) return {*path, read_text(*path)};
  if (std::string text = piped_text(); !text.empty()) return {"standard input", std::move(text)};
  console.note("no text given, and nothing on standard input: this scores the built-in passage");
  return {std::string(passage_name), std::string(passage)};
}

std::vector<std::int32_t> ids_of(const Arguments& a, const LanguageModel& lm, const std::string& text) {
  if (const auto ids = a.integers("--prompt-ids")) return *ids;
  std::vector<std::int32_t> ids = lm.text().encode(text);
  if (ids.empty() && lm.text().bos()) ids.push_back(*lm.text().bos());
  return ids;
}

std::string text_of(const LanguageModel& lm, std::int32_t id) {
  return lm.tokenizer && id < lm.tokenizer->size() ? lm.tokenizer->piece(id, true) : std::string();
}

Json score_json(const Score& score, const LanguageModel& lm, const Source& source) {
  Json tokens = Json::array();
  for (const TokenScore& t : score.tokens) {
    Json token{{"id", t.id}, {"text", text_of(lm, t.id)}, {"logprob", nullptr}};
    if (t.logprob) token["logprob"] = *t.logprob;
    if (!t.top.empty()) {
      Json top = Json::array();
      for (const auto& [logprob, id] : t.top) top.push_back({{"id", id}, {"logprob", logprob}});
      token["top"] = top;
    }
    tokens.push_back(std::move(token));
  }
  const bool none = score.count == 0;
  return {{"tokens", tokens},
          {"count", score.count},
          {"nll", none ? Json(nullptr) : Json(score.nll)},
          {"perplexity", none ? Json(nullptr) : Json(score.perplexity)},
          {"source", source.name},
          {"interrupted", score.interrupted}};
}

void print_tokens(const Score& score, const LanguageModel& lm, Console& console) {
  std::vector<std::vector<std::string>> rows{{"id", "logprob", "text", "most likely"}};
  for (const TokenScore& t : score.tokens) {
    std::string top;
    for (const auto& [logprob, id] : t.top) {
      top += fmt::format("{}{} {:.2f}", top.empty() ? "" : ", ", escaped(text_of(lm, id)), logprob);
    }
    rows.push_back(
        {std::to_string(t.id), t.logprob ? fmt::format("{:.4f}", *t.logprob) : "-", escaped(text_of(lm, t.id)), top});
  }
  console.print(table(rows, "rrll"));
}

void run(const Arguments& a, Console& console) {
  a.at_most_one({"--text", "--file", "--prompt-ids"});
  const ModelPath found = find_model(a, console);
  ScoreOptions options;
  options.engine = engine_options(a);
  options.top_k = static_cast<int>(*a.integer("--top-k"));
  options.window = a.integer("--window").value_or(0);
  options.stride = a.integer("--stride").value_or(0);

  (void)InputFile(found.path);  // a missing file is told before anything waits for a text
  const Source source = source_of(a, console);

  const Interrupt interrupt;
  CpuDevice device(cpu_options(a));
  const LanguageModel lm = open_model(found, device, console);
  if (options.engine.context == 0) options.engine.context = lm.model->sizes().context;
  const auto ids = ids_of(a, lm, source.text);
  const auto length = static_cast<std::int64_t>(ids.size());
  const std::int64_t window = options.window > 0 ? options.window : options.engine.context;
  if (length > window && window > 1) {
    const std::int64_t stride = options.stride > 0 ? options.stride : window / 2;
    console.note(
        "note: {} tokens are more than the window of {}: scored in windows, each with at least {} tokens "
        "before those it scores",
        length, window, window - stride);
  }
  const Score result = score(lm, ids, options, {}, interrupt.token());
  if (a.has("--json")) return console.print(line_of(score_json(result, lm, source)));

  constexpr std::int64_t short_text = 200;
  if (length <= short_text) print_tokens(result, lm, console);
  std::string means = "nothing was scored";
  if (result.count > 0) {
    means = fmt::format("{} {} scored, nll {:.4f}, perplexity {:.4f}", result.count, plural(result.count, "token"),
                        result.nll, result.perplexity);
  } else if (!result.interrupted) {
    means += ", a first token has nothing before it";
  }
  console.print("{}: {}{}\n", one_line(source.name), means, result.interrupted ? ", interrupted" : "");
}

std::vector<Option> own_options() {
  return {{.name = "--text", .metavar = "TEXT", .type = Type::text, .help = "the text"},
          {.name = "--file", .metavar = "PATH", .type = Type::path, .help = "a file with it; - is standard input"},
          {.name = "--prompt-ids", .metavar = "1,2,3", .type = Type::integers, .help = "token ids, used as they are"},
          {.name = "--top-k",
           .metavar = "K",
           .type = Type::integer,
           .help = "also the K most likely tokens at each place",
           .fallback = "0",
           .min = 0,
           .max = 1000},
          {.name = "--window",
           .metavar = "N",
           .type = Type::integer,
           .help = "tokens that are read together",
           .fallback_words = "the context",
           .min = 2,
           .max = 1 << 30},
          {.name = "--stride",
           .metavar = "N",
           .type = Type::integer,
           .help = "new tokens of each window; the others only come before them",
           .fallback_words = "half the window",
           .min = 1,
           .max = 1 << 30}};
}

}  // namespace

Verb eval_verb() {
  return {.name = "eval",
          .summary = "score a text: log-probabilities and perplexity",
          .details =
              "The text is --text, --file, --prompt-ids or else standard input, all of it, with its line ends. Where "
              "that is a terminal, or has nothing (as /dev/null), it is a built-in passage. Texts get the model's BOS; "
              "the first token is not scored. Logarithms are natural.",
          .positionals = {model_positional()},
          .options = join({own_options(), cache_options(), device_options()}),
          .json = {{"",
                    {{"tokens", "array", "in the order of the text"},
                     {"tokens[]", "object", ""},
                     {"tokens[].id", "integer", ""},
                     {"tokens[].text", "string", "what it stands for; empty without a tokenizer"},
                     {"tokens[].logprob", "number or null", "null for the first token"},
                     {"tokens[].top", "array", "with --top-k, for scored tokens", false},
                     {"tokens[].top[]", "object", "", false},
                     {"tokens[].top[].id", "integer", "", false},
                     {"tokens[].top[].logprob", "number", "", false},
                     {"count", "integer", "scored tokens"},
                     {"nll", "number or null", "mean of -logprob over them; null when there are none"},
                     {"perplexity", "number or null", "e^nll"},
                     {"source", "string", "which text it was"},
                     {"interrupted", "boolean", "true: Ctrl-C ended it, the rest is not scored"}}}},
          .examples = {{{"toy eval model.gguf --text \"The sky is blue\" --top-k 3", "each token of a text"},
                        {"toy eval model.gguf --file book.txt --window 2048 --stride 512 --json",
                         "a long text in overlapping windows, as JSON"}}},
          .run = run};
}

}  // namespace toy::cli

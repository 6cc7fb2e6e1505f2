// toy infer: text from a prompt.
#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/model_options.h"
#include "toy/cli/signals.h"
#include "toy/generate/generate.h"
#include "toy/io/plural.h"

namespace toy::cli {

namespace {

bool has_prompt(const Arguments& a) { return a.has("--prompt") || a.has("--prompt-file") || a.has("--prompt-ids"); }

std::string prompt_text(const Arguments& a) {
  if (const auto text = a.text("--prompt")) return *text;
  if (const auto path = a.text("--prompt-file")) return read_text(*path);
  return read_text("-");
}

std::vector<std::int32_t> prompt_ids(const Arguments& a, const LanguageModel& lm, const std::string& text) {
  if (const auto ids = a.integers("--prompt-ids")) return *ids;
  std::vector<std::int32_t> ids = lm.text().encode(text);
  if (ids.empty() && lm.text().bos()) ids.push_back(*lm.text().bos());
  return ids;
}

GenerateOptions generate_options(const Arguments& a) {
  GenerateOptions o;
  o.n = *a.integer("--n");
  o.engine = engine_options(a);
  o.sampling.temperature = static_cast<float>(*a.number("--temp"));
  o.sampling.top_k = static_cast<int>(*a.integer("--top-k"));
  o.sampling.top_p = static_cast<float>(*a.number("--top-p"));
  o.sampling.min_p = static_cast<float>(*a.number("--min-p"));
  o.sampling.seed = static_cast<std::uint64_t>(*a.integer("--seed"));
  o.stop = a.all("--stop");
  o.ignore_eos = a.has("--ignore-eos");
  return o;
}

void dry_run(const Arguments& a, Console& console) {
  const GgufFile file = open_header(find_model(a, console));
  CpuDevice device(cpu_options(a));
  EngineOptions engine = engine_options(a);
  Hyperparameters h(file);
  const auto model = make_model(h);
  engine.context = Engine(*model, device, engine).context();  // refuses what a real run refuses
  const MemoryEstimate m = estimate_memory(file, device, engine.kv, engine.context, 1);
  if (a.has("--json")) {
    return console.print(line_of({{"memory",
                                   {{"weights", m.weights},
                                    {"kv", m.kv},
                                    {"activations", m.activations},
                                    {"tokenizer", m.tokenizer},
                                    {"total", m.total()}}},
                                  {"context", engine.context},
                                  {"kv", *a.text("--kv")}}));
  }
  console.print(table({{"weights", bytes_text(m.weights)},
                       {"KV cache", bytes_text(m.kv)},
                       {"activations", bytes_text(m.activations)},
                       {"tokenizer", bytes_text(m.tokenizer)},
                       {"total", bytes_text(m.total())}},
                      "lr"));
  console.note("one sequence of {} {}, KV cache {}; nothing was loaded", engine.context,
               plural(engine.context, "token"), *a.text("--kv"));
}

/// What the streamed text does not say.
void tell(const Generation& g, const LanguageModel& lm, std::int64_t context, const Console& console) {
  if (g.context_full) {
    console.note("note: the context of {} {} is full after {} new {}; --context gives more", context,
                 plural(context, "token"), g.ids.size(), plural(g.ids.size(), "token"));
  }
  if (!lm.tokenizer) console.note("note: the file has no tokenizer; --json prints the ids");
  console.note("{} + {} tokens, stopped by {}; prefill {:.1f} tokens/s, decode {:.1f} tokens/s", g.prompt_ids.size(),
               g.ids.size(), name(g.stop), g.prefill_tokens_per_second, g.decode_tokens_per_second);
}

void run(const Arguments& a, Console& console) {
  a.at_most_one({"--prompt", "--prompt-file", "--prompt-ids"});
  if (a.has("--dry-run")) return dry_run(a, console);
  GenerateOptions options = generate_options(a);
  const bool json = a.has("--json");
  const ModelPath found = find_model(a, console);
  if (!has_prompt(a)) require_piped_input("--prompt, --prompt-file or --prompt-ids");

  // A missing file is told before anything waits for a prompt, which Ctrl-C can end.
  (void)InputFile(found.path);
  const std::string text = a.has("--prompt-ids") ? std::string() : prompt_text(a);

  const Interrupt interrupt;
  CpuDevice device(cpu_options(a));
  const LanguageModel lm = open_model(found, device, console);
  const std::int64_t trained = lm.model->sizes().context;
  if (options.engine.context == 0) options.engine.context = trained;
  if (options.engine.context > trained && !lm.model->sizes().learned_positions) {
    console.note("note: a context of {} is beyond the {} tokens this model was trained on", options.engine.context,
                 trained);
  }
  const auto ids = prompt_ids(a, lm, text);
  const Generation g = generate(
      lm, ids, options,
      [&](std::string_view part) {
        if (json) return;
        console.print(part);
        console.flush();
      },
      interrupt.token());
  if (json) {
    console.print(line_of({{"prompt_ids", g.prompt_ids},
                           {"ids", g.ids},
                           {"text", g.text},
                           {"stop", name(g.stop)},
                           {"prefill_tokens_per_second", g.prefill_tokens_per_second},
                           {"decode_tokens_per_second", g.decode_tokens_per_second}}));
  } else if (!g.text.empty() && !g.text.ends_with('\n')) {
    console.print("\n");
  }
  console.flush();
  tell(g, lm, options.engine.context, console);
}

std::vector<Option> sampling_options() {
  return {{.name = "--temp",
           .metavar = "X",
           .type = Type::number,
           .help = "temperature; 0 takes the most likely token",
           .fallback = "0",
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
           .max = 1},
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
           .fallback = "0",
           .min = 0}};
}

std::vector<Option> own_options() {
  return {
      {.name = "--prompt", .metavar = "TEXT", .type = Type::text, .help = "the text to continue", .brief = "-p"},
      {.name = "--prompt-file", .metavar = "PATH", .type = Type::path, .help = "a file with it; - is standard input"},
      {.name = "--prompt-ids", .metavar = "1,2,3", .type = Type::integers, .help = "token ids, used as they are"},
      {.name = "--n",
       .metavar = "N",
       .type = Type::integer,
       .help = "most new tokens",
       .brief = "-n",
       .fallback = "128",
       .min = 0,
       .max = 1 << 30},
      {.name = "--stop",
       .metavar = "TEXT",
       .type = Type::text,
       .help = "text that ends the answer and is not part of it",
       .repeatable = true},
      {.name = "--ignore-eos", .help = "go on after the end of the text"},
      {.name = "--dry-run", .help = "load nothing, print how much memory is needed"}};
}

}  // namespace

Verb infer_verb() {
  return {.name = "infer",
          .summary = "continue a text",
          .details =
              "The prompt is --prompt, --prompt-file, --prompt-ids or else standard input. The text appears as it "
              "is generated. The first Ctrl-C ends it in good order, the second at once.",
          .positionals = {model_positional()},
          .options = join({own_options(), sampling_options(), cache_options(), device_options()}),
          .json = {{"",
                    {{"prompt_ids", "array", "token ids of the prompt, with BOS if the model wants it"},
                     {"prompt_ids[]", "integer", "", false},
                     {"ids", "array", "the new token ids, without the one that ended the text"},
                     {"ids[]", "integer", "", false},
                     {"text", "string", "their text"},
                     {"stop", "string", "what ended it: length, eos, stop or interrupted"},
                     {"prefill_tokens_per_second", "number", "speed of reading the prompt"},
                     {"decode_tokens_per_second", "number", "speed of writing, 0 for fewer than two tokens"}}},
                   {"--dry-run",
                    {{"memory", "object", "estimate in bytes"},
                     {"memory.weights", "integer", "parameters as the device holds them"},
                     {"memory.kv", "integer", "the KV cache when the context is full"},
                     {"memory.activations", "integer", "the largest forward and its logits"},
                     {"memory.tokenizer", "integer", "metadata and tokenizer, roughly"},
                     {"memory.total", "integer", "their sum"},
                     {"context", "integer", "tokens"},
                     {"kv", "string", "type of the KV cache"}}}},
          .examples = {{{"toy infer model.gguf --prompt \"Once upon a time\" --n 64", "continue a text greedily"},
                        {"toy infer model.gguf --temp 0.8 --top-p 0.95 --seed 7 --json --prompt-file p.txt",
                         "sample, with the prompt from a file and the answer as JSON"}}},
          .run = run};
}

}  // namespace toy::cli

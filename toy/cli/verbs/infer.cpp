// toy infer: text from a prompt.
#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/model_options.h"
#include "toy/cli/prompt.h"
#include "toy/cli/sampling.h"
#include "toy/cli/signals.h"
#include "toy/generate/generate.h"
#include "toy/io/plural.h"

namespace toy::cli {

namespace {

bool wants_json(const Arguments& a) { return a.has("--json") || a.has("--json-lines"); }

GenerateOptions generate_options(const Arguments& a, const Console& console) {
  GenerateOptions o;
  o.n = *a.integer("--n");
  o.engine = engine_options(a);
  o.sampling = sampling_of(a, console);
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
  if (wants_json(a)) {
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
void tell(const Generation& g, const LanguageModel& lm, const GenerateOptions& options, const Console& console) {
  const std::int64_t context = options.engine.context;
  if (g.context_full) {
    console.note("note: the context of {} {} is full after {} new {}; --context gives more", context,
                 plural(context, "token"), g.ids.size(), plural(g.ids.size(), "token"));
  }
  if (!lm.tokenizer) console.note("note: the file has no tokenizer; --json prints the ids");
  const std::string seed =
      options.sampling.temperature > 0 ? fmt::format("; seed {}", options.sampling.seed) : std::string();
  console.note("{} + {} {}, stopped by {}; prefill {:.1f} tokens/s, decode {:.1f} tokens/s{}", g.prompt_ids.size(),
               g.ids.size(), plural(g.ids.size(), "token"), name(g.stop), g.prefill_tokens_per_second,
               g.decode_tokens_per_second, seed);
}

Json answer_json(const Generation& g, const SamplingOptions& sampling) {
  return {{"prompt_ids", g.prompt_ids},
          {"ids", g.ids},
          {"text", g.text},
          {"stop", name(g.stop)},
          {"seed", sampling.temperature > 0 ? Json(sampling.seed) : Json(nullptr)},
          {"prefill_tokens_per_second", g.prefill_tokens_per_second},
          {"decode_tokens_per_second", g.decode_tokens_per_second}};
}

void run(const Arguments& a, Console& console) {
  check_prompt_options(a);
  if (a.has("--dry-run")) return dry_run(a, console);
  const bool json = wants_json(a), lines = a.has("--json-lines");
  const ModelPath found = find_model(a, console);
  require_prompt(a);

  // A missing file is told before anything waits for a prompt, which Ctrl-C can end.
  (void)InputFile(found.path);
  GenerateOptions options = generate_options(a, console);
  const std::string text = prompt_text(a, console);

  const Interrupt interrupt;
  CpuDevice device(cpu_options(a));
  const LanguageModel lm = open_model(found, device, console);
  const std::int64_t trained = lm.model->sizes().context;
  if (options.engine.context == 0) options.engine.context = trained;
  if (options.engine.context > trained && !lm.model->sizes().learned_positions) {
    console.note("note: a context of {} is beyond the {} {} this model was trained on", options.engine.context, trained,
                 plural(trained, "token"));
  }
  const auto ids = prompt_ids(a, lm, text);
  if (lm.tokenizer) note_two_bos(ids, *lm.tokenizer, console);
  const Generation g = generate_tokens(
      lm, ids, options,
      [&](std::optional<std::int32_t> id, std::string_view part) {
        if (lines) {
          console.print(line_of({{"id", id ? Json(*id) : Json(nullptr)}, {"text", std::string(part)}}));
        } else if (!json) {
          console.print(part);
        }
        if (lines || (!json && !part.empty())) console.flush();
      },
      interrupt.token());
  if (json) {
    console.print(line_of(answer_json(g, options.sampling)));
  } else if (!g.text.empty() && !g.text.ends_with('\n')) {
    console.print("\n");
  }
  console.flush();
  tell(g, lm, options, console);
}

std::vector<Option> own_options() {
  return {{.name = "--n",
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
          {.name = "--dry-run", .help = "load nothing, print how much memory is needed"},
          {.name = "--json-lines", .help = "print one JSON object for each token, as it is made, then that of --json"}};
}

}  // namespace

Verb infer_verb() {
  return {.name = "infer",
          .summary = "continue a text",
          .details =
              "The prompt is --prompt, --prompt-file, --prompt-ids or else standard input. The text appears as it "
              "is generated. The first Ctrl-C ends it in good order, the second at once. The most likely token is "
              "taken each time, unless one of --temp, --top-k, --top-p, --min-p and --seed asks for sampling.",
          .positionals = {model_positional()},
          .options = join({prompt_options(), own_options(), sampling_options(), cache_options(), device_options()}),
          .json = {{"",
                    {{"prompt_ids", "array", "token ids of the prompt, with BOS if the model wants it"},
                     {"prompt_ids[]", "integer", "", false},
                     {"ids", "array", "the new token ids, without the one that ended the text"},
                     {"ids[]", "integer", "", false},
                     {"text", "string", "their text"},
                     {"stop", "string", "what ended it: length, eos, stop or interrupted"},
                     {"seed", "integer or null", "of the sampling; null: nothing was sampled"},
                     {"prefill_tokens_per_second", "number", "speed of reading the prompt"},
                     {"decode_tokens_per_second", "number", "speed of writing, 0 for fewer than two tokens"}}},
                   {"--json-lines",
                    {{"id", "integer or null", "the new token; null for text that was held back until the end"},
                     {"text", "string",
                      "the text that is final with this token, maybe empty; all of them together are the whole text"}}},
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

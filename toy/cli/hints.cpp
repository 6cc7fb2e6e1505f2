#include "toy/cli/hints.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "toy/cli/arguments.h"

namespace toy::cli {

namespace {

/// What stands in place of an option of ours.
constexpr std::string_view model = "MODEL", not_yet = "not there yet", no_gpu = "no GPU";

struct ForeignFlag {
  std::string_view name;  // with "-" for "_"
  std::string_view ours;  // an option, or one of the above
};

/// Flags of llama.cpp, Ollama, MLX-LM, vLLM, transformers and nanoGPT. Of several lines with a name the first counts
/// whose option the verb has.
constexpr std::array foreign_flags{
    ForeignFlag{"-m", model},
    ForeignFlag{"--model", model},
    ForeignFlag{"--model-path", model},
    ForeignFlag{"-hf", model},
    ForeignFlag{"--hf-repo", model},
    ForeignFlag{"--temperature", "--temp"},
    ForeignFlag{"--max-tokens", "--n"},
    ForeignFlag{"--max-new-tokens", "--n"},
    ForeignFlag{"--n-predict", "--n"},
    ForeignFlag{"--num-predict", "--n"},
    ForeignFlag{"--predict", "--n"},
    ForeignFlag{"-c", "--context"},
    ForeignFlag{"--ctx-size", "--context"},
    ForeignFlag{"--num-ctx", "--context"},
    ForeignFlag{"--n-ctx", "--context"},
    ForeignFlag{"--max-model-len", "--context"},
    ForeignFlag{"--max-seq-len", "--context"},
    ForeignFlag{"--max-kv-size", "--context"},
    ForeignFlag{"--block-size", "--context"},
    ForeignFlag{"-ngl", no_gpu},
    ForeignFlag{"--n-gpu-layers", no_gpu},
    ForeignFlag{"--gpu-layers", no_gpu},
    ForeignFlag{"--num-gpu", no_gpu},
    ForeignFlag{"--gpu", no_gpu},
    ForeignFlag{"-ts", no_gpu},
    ForeignFlag{"--tensor-split", no_gpu},
    ForeignFlag{"-f", "--prompt-file"},
    ForeignFlag{"-f", "--file"},
    ForeignFlag{"--file", "--prompt-file"},
    ForeignFlag{"--text", "--prompt"},
    ForeignFlag{"--prompt", "--text"},
    ForeignFlag{"-s", "--seed"},
    ForeignFlag{"-t", "--threads"},
    ForeignFlag{"-j", "--threads"},
    ForeignFlag{"--num-threads", "--threads"},
    ForeignFlag{"-ctk", "--kv"},
    ForeignFlag{"-ctv", "--kv"},
    ForeignFlag{"--cache-type-k", "--kv"},
    ForeignFlag{"--cache-type-v", "--kv"},
    ForeignFlag{"--kv-cache-dtype", "--kv"},
    ForeignFlag{"-sp", "--parse-special"},
    ForeignFlag{"--special", "--parse-special"},
    ForeignFlag{"-r", "--stop"},
    ForeignFlag{"--reverse-prompt", "--stop"},
    ForeignFlag{"--stream", "--json-lines"},
    ForeignFlag{"--format", "--json"},
    ForeignFlag{"--silent", "--quiet"},
    ForeignFlag{"--learning-rate", "--lr"},
    ForeignFlag{"--max-steps", "--steps"},
    ForeignFlag{"--max-iters", "--steps"},
    ForeignFlag{"--iters", "--steps"},
    ForeignFlag{"--epochs", "--steps"},
    ForeignFlag{"--num-epochs", "--steps"},
    ForeignFlag{"-b", "--batch-size"},
    ForeignFlag{"--batch", "--batch-size"},
    ForeignFlag{"--gradient-accumulation-steps", "--accumulate"},
    ForeignFlag{"--grad-accumulation-steps", "--accumulate"},
    ForeignFlag{"--grad-clip", "--clip-grad"},
    ForeignFlag{"--max-grad-norm", "--clip-grad"},
    ForeignFlag{"--warmup", "--warmup-steps"},
    ForeignFlag{"--warmup-iters", "--warmup-steps"},
    ForeignFlag{"--eval-interval", "--eval-every"},
    ForeignFlag{"--save-interval", "--save-every"},
    ForeignFlag{"--n-layer", "--layers"},
    ForeignFlag{"--num-layers", "--layers"},
    ForeignFlag{"--n-head", "--heads"},
    ForeignFlag{"--num-heads", "--heads"},
    ForeignFlag{"--n-embd", "--d-model"},
    ForeignFlag{"--hidden-size", "--d-model"},
    ForeignFlag{"--data", "--corpus"},
    ForeignFlag{"--dataset", "--corpus"},
    ForeignFlag{"--train-data", "--corpus"},
    ForeignFlag{"-o", "--out"},
    ForeignFlag{"--output", "--out"},
    ForeignFlag{"--out-dir", "--out"},
    ForeignFlag{"--output-dir", "--out"},
    ForeignFlag{"--repeat-penalty", not_yet},
    ForeignFlag{"--repetition-penalty", not_yet},
    ForeignFlag{"--presence-penalty", not_yet},
    ForeignFlag{"--frequency-penalty", not_yet},
    ForeignFlag{"--lora", not_yet},
    ForeignFlag{"--adapter", not_yet},
    ForeignFlag{"--mmproj", not_yet},
    ForeignFlag{"--grammar", not_yet},
    ForeignFlag{"--json-schema", not_yet},
    ForeignFlag{"-cnv", not_yet},
    ForeignFlag{"--conversation", not_yet},
    ForeignFlag{"-i", not_yet},
    ForeignFlag{"--interactive", not_yet},
    ForeignFlag{"--system", not_yet},
    ForeignFlag{"--system-prompt", not_yet},
    ForeignFlag{"-sys", not_yet},
    ForeignFlag{"--chat-template", not_yet},
};

struct ForeignVerb {
  std::string_view name;
  std::string_view words;
};

constexpr std::string_view chat_words =
    "is not there yet; infer continues a text, --parse-special reads a template's "
    "tokens in it";
constexpr std::string_view serve_words = "is not there yet; infer --json and --json-lines answer programs";
constexpr std::string_view get_words =
    "is not there yet; hf download REPO FILE.gguf or ollama pull NAME gets a model, "
    "and toy list finds it";
constexpr std::string_view tune_words = "is not there yet; train from-scratch trains a new model";

constexpr std::array foreign_verbs{
    ForeignVerb{"chat", chat_words},
    ForeignVerb{"repl", chat_words},
    ForeignVerb{"serve", serve_words},
    ForeignVerb{"server", serve_words},
    ForeignVerb{"pull", get_words},
    ForeignVerb{"fetch", get_words},
    ForeignVerb{"download", get_words},
    ForeignVerb{"get", get_words},
    ForeignVerb{"finetune", tune_words},
    ForeignVerb{"fine-tune", tune_words},
    ForeignVerb{"lora", tune_words},
    ForeignVerb{"quantize",
                "is not there yet; llama.cpp's llama-quantize makes files of Q8_0, Q6_K and Q4_0, which run here"},
    ForeignVerb{"convert", "is not there yet; llama.cpp's convert_hf_to_gguf.py makes a GGUF file of safetensors"},
    ForeignVerb{"embed", "is not there yet"},
    ForeignVerb{"embedding", "is not there yet"},
    ForeignVerb{"merge", "is not there yet"},
    ForeignVerb{"run", "here it is infer"},
    ForeignVerb{"generate", "here it is infer"},
    ForeignVerb{"complete", "here it is infer"},
    ForeignVerb{"completion", "here it is infer"},
    ForeignVerb{"perplexity", "here it is eval"},
    ForeignVerb{"score", "here it is eval"},
    ForeignVerb{"ls", "here it is list"},
    ForeignVerb{"models", "here it is list"},
    ForeignVerb{"info", "here it is describe"},
    ForeignVerb{"inspect", "here it is describe"},
    ForeignVerb{"show", "here it is describe, or runs show for a run"},
    ForeignVerb{"rm", "here it is runs rm, for runs; the files of other programs are theirs"},
    ForeignVerb{"detokenize", "is not there yet; infer --prompt-ids takes ids"},
    ForeignVerb{"benchmark", "here it is bench"},
    ForeignVerb{"pretrain", "here it is train from-scratch"},
};

bool has(const Verb& verb, std::string_view option) {
  const auto options = all_options(verb);
  return std::ranges::find(options, option, &Option::name) != options.end();
}

bool takes_model(const Verb& verb) {
  return std::ranges::find(verb.positionals, "MODEL", &Positional::name) != verb.positionals.end();
}

}  // namespace

std::optional<std::string> hint_for_flag(const Verb& verb, std::string_view flag) {
  const auto options = all_options(verb);
  const bool own = std::ranges::any_of(options, [&](const Option& o) { return o.name == flag || o.brief == flag; });
  if (own || !flag.starts_with('-')) return std::nullopt;
  std::string name(flag);
  std::replace(name.begin() + 1, name.end(), '_', '-');
  if (name != flag && has(verb, name)) return "here it is " + name;
  for (const ForeignFlag& foreign : foreign_flags) {
    if (foreign.name != name) continue;
    if (foreign.ours == model && takes_model(verb)) {
      return fmt::format("the model is the first word: toy {} MODEL", verb.name);
    }
    if (foreign.ours == no_gpu && has(verb, "--device")) return "no GPU is used yet: leave it out";
    if (foreign.ours == not_yet && takes_model(verb)) return "that is not there yet";
    if (has(verb, foreign.ours)) return fmt::format("here it is {}", foreign.ours);
  }
  return std::nullopt;
}

std::optional<std::string> hint_for_verb(std::string_view verb) {
  const auto found = std::ranges::find(foreign_verbs, verb, &ForeignVerb::name);
  if (found == foreign_verbs.end()) return std::nullopt;
  return std::string(found->words);
}

}  // namespace toy::cli

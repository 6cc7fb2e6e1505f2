// toy describe: what a model is, from its header alone.
#include <algorithm>
#include <map>
#include <memory>

#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/model_options.h"
#include "toy/cli/trace_text.h"
#include "toy/io/plural.h"
#include "toy/io/quote.h"
#include "toy/io/shortest.h"
#include "toy/tensor/device/cpu/tuning.h"
#include "toy/tensor/error.h"

namespace toy::cli {

namespace {

/// A scalar of the metadata as JSON; arrays and very long texts as their type.
Json scalar_json(const Metadata& metadata, const Metadata::Entry& entry) {
  switch (entry.value.type) {
    case ValueType::String:
      if (entry.value.bytes() > most_text_bytes) return fmt::format("STRING of {} bytes", entry.value.bytes());
      return metadata.get<std::string>(entry.key);
    case ValueType::Array:
      return entry.value.type_name();
    case ValueType::F32:
      return shortest(metadata.get<float>(entry.key));
    case ValueType::F64:
      return metadata.get<double>(entry.key);
    case ValueType::Bool:
      return metadata.get<bool>(entry.key);
    case ValueType::U64:
      return metadata.get<std::uint64_t>(entry.key);
    default:
      return metadata.get<std::int64_t>(entry.key);
  }
}

/// The same; a number that is not finite, and a BOOL that is neither 0 nor 1, as their type.
Json value_json(const Metadata& metadata, const Metadata::Entry& entry) {
  try {
    return scalar_json(metadata, entry);
  } catch (const Error&) {
    return entry.value.type_name() + ", out of its range";
  }
}

/// All keys, those of the tokenizer only where no tokenizer tells them.
Json hyperparameters_json(const GgufFile& file, bool with_tokenizer) {
  Json json = Json::object();
  for (const Metadata::Entry& entry : file.metadata().entries()) {
    if (with_tokenizer || !entry.key.starts_with("tokenizer.")) json[entry.key] = value_json(file.metadata(), entry);
  }
  return json;
}

Json tokenizer_json(const Tokenizer& t) {
  Json json{{"model", t.model()}, {"pre", t.pre()}, {"tokens", t.size()}};
  const auto id = [&](std::optional<std::int32_t> token) {
    return token ? Json{{"id", *token}, {"text", t.token(*token)}} : Json(nullptr);
  };
  json["bos"] = id(t.bos());
  json["eos"] = id(t.eos());
  json["adds_bos"] = t.adds_bos();
  json["adds_eos"] = t.adds_eos();
  json["control_tokens"] = t.count(TokenType::control);
  json["byte_tokens"] = t.count(TokenType::byte);
  json["chat_template"] = !t.chat_template().empty();
  return json;
}

std::int64_t bytes_in_all(const GgufFile& file) {
  std::int64_t sum = 0;
  for (const TensorInfo& t : file.tensors()) sum += static_cast<std::int64_t>(t.bytes);
  return sum;
}

std::int64_t count_in_all(const GgufFile& file) {
  std::int64_t sum = 0;
  for (const TensorInfo& t : file.tensors()) sum += t.shape.elements();
  return sum;
}

Json parameters_json(const GgufFile& file) {
  Json list = Json::array();
  const auto all = static_cast<double>(std::max<std::int64_t>(1, bytes_in_all(file)));
  for (const TensorInfo& t : file.tensors()) {
    Json shape = Json::array();
    for (int axis = 0; axis < t.shape.rank(); ++axis) shape.push_back(t.shape[axis]);
    list.push_back({{"name", t.name},
                    {"shape", shape},
                    {"type", name(t.dtype)},
                    {"count", t.shape.elements()},
                    {"bytes", t.bytes},
                    {"share", static_cast<double>(t.bytes) / all}});
  }
  return list;
}

struct MemoryRow {
  std::int64_t context;
  std::string_view kv;
  std::int64_t sequences;
  MemoryEstimate memory;
};

std::vector<MemoryRow> memory_rows(const GgufFile& file, const CpuDevice& device, const Sizes& sizes) {
  std::vector<std::int64_t> contexts;
  for (const std::int64_t context : {512, 4096, 32768}) {
    if (context < sizes.context) contexts.push_back(context);
  }
  contexts.push_back(sizes.context);
  std::vector<MemoryRow> rows;
  for (const std::int64_t context : contexts) {
    for (const std::string_view kv : {"f16", "f32", "q8_0"}) {
      if (kv == "q8_0" && sizes.d % 32 != 0) continue;
      for (const std::int64_t sequences : {1, 8}) {
        rows.push_back({context, kv, sequences, estimate_memory(file, device, kv_type(kv), context, sequences)});
      }
    }
  }
  return rows;
}

Json memory_json(const std::vector<MemoryRow>& rows) {
  Json list = Json::array();
  for (const MemoryRow& row : rows) {
    list.push_back({{"context", row.context},
                    {"kv", row.kv},
                    {"sequences", row.sequences},
                    {"weights", row.memory.weights},
                    {"kv_bytes", row.memory.kv},
                    {"activations", row.memory.activations},
                    {"tokenizer", row.memory.tokenizer},
                    {"total", row.memory.total()}});
  }
  return list;
}

void print_hyperparameters(const Json& values, Console& console) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : values.items()) {
    constexpr std::size_t most = 100;
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (text.size() > most) text = text.substr(0, most) + "...";
    rows.push_back({"  " + one_line(key), one_line(text)});
  }
  console.print("\nHyperparameters\n" + table(rows, "ll"));
}

void print_tokenizer(const std::optional<Tokenizer>& tokenizer, Console& console) {
  if (!tokenizer) return console.print("\nTokenizer: none in the file; it takes and gives token ids\n");
  const Tokenizer& t = *tokenizer;
  const auto id = [&](std::optional<std::int32_t> token, bool added) {
    if (!token) return std::string("none");
    return fmt::format("{} {}{}", *token, escaped(t.token(*token)), added ? ", added to texts" : "");
  };
  console.print("\nTokenizer\n" +
                table({{"  model", t.model() == "llama" ? "llama (SPM)" : "gpt2 (byte-level BPE)"},
                       {"  pre-tokenizer", t.pre().empty() ? "none" : one_line(t.pre())},
                       {"  tokens", long_count(t.size())},
                       {"  BOS", id(t.bos(), t.adds_bos())},
                       {"  EOS", id(t.eos(), t.adds_eos())},
                       {"  control tokens", long_count(static_cast<std::int64_t>(t.count(TokenType::control)))},
                       {"  chat template", t.chat_template().empty() ? "no" : "yes"}},
                      "ll"));
}

/// "blk.3.attn_q.weight" -> "blk.*.attn_q.weight"
std::string pattern_of(const std::string& name) {
  if (!name.starts_with("blk.")) return name;
  const auto dot = name.find('.', 4);
  return dot == std::string::npos ? name : "blk.*" + name.substr(dot);
}

void print_parameters(const GgufFile& file, bool tied, bool every, Console& console) {
  if (file.tensors().empty()) return console.print("\nParameters: none\n");
  struct Group {
    std::string name;
    const TensorInfo* first;
    std::int64_t tensors = 0, bytes = 0;
  };
  std::vector<Group> groups;
  std::map<std::string, std::size_t> index;
  for (const TensorInfo& t : file.tensors()) {
    const std::string shown = every ? t.name : pattern_of(t.name);
    const std::string key = shown + t.shape.str() + std::string(name(t.dtype));
    const auto [place, added] = index.emplace(key, groups.size());
    if (added) groups.push_back({shown, &t});
    Group& group = groups[place->second];
    ++group.tensors;
    group.bytes += static_cast<std::int64_t>(t.bytes);
  }
  const auto all = static_cast<double>(std::max<std::int64_t>(1, bytes_in_all(file)));
  std::vector<std::vector<std::string>> rows{{"  name", "tensors", "shape", "type", "bytes", "share"}};
  for (const Group& g : groups) {
    rows.push_back({"  " + one_line(g.name), std::to_string(g.tensors), g.first->shape.str(),
                    std::string(name(g.first->dtype)), bytes_text(g.bytes),
                    fmt::format("{:.1f} %", 100 * static_cast<double>(g.bytes) / all)});
  }
  const std::int64_t count = count_in_all(file);
  console.print("\nParameters\n" + table(rows, "lrllrr"));
  console.print("  total: {} ({}), {}{}\n", short_count(count), long_count(count), bytes_text(bytes_in_all(file)),
                tied ? "; the head is tied to token_embd and counted once" : "");
}

void print_memory(const std::vector<MemoryRow>& rows, Console& console) {
  std::vector<std::vector<std::string>> cells{
      {"  context", "KV cache", "sequences", "weights", "KV", "activations", "tokenizer", "total"}};
  for (const MemoryRow& r : rows) {
    cells.push_back({std::to_string(r.context), std::string(r.kv), std::to_string(r.sequences),
                     bytes_text(r.memory.weights), bytes_text(r.memory.kv), bytes_text(r.memory.activations),
                     bytes_text(r.memory.tokenizer), bytes_text(r.memory.total())});
  }
  console.print("\nMemory (context: tokens of each sequence)\n" + table(cells, "rlrrrrrr"));
}

/// What the line that a failure gives says after the name of the file.
std::string without_path(const GgufFile& file, std::string message) {
  const std::string path = shown(file.path()) + ": ";
  return message.starts_with(path) ? message.substr(path.size()) : message;
}

/// What a file tells of itself: of a model that runs here, and of any other.
struct Description {
  std::string architecture;  // empty if the file names none
  std::string obstacle;      // why it does not run here; empty: it does
  std::unique_ptr<Model> model;
  std::optional<Tokenizer> tokenizer;
  std::string no_tokenizer;  // why it cannot be used
  std::vector<MemoryRow> memory;
  std::string simd;  // the level that runs here, and the forms of its micro-kernels where it has any
};

std::string architecture_of(const GgufFile& file) {
  const MetaValue* const value = file.metadata().value("general.architecture");
  if (value == nullptr || value->type != ValueType::String || value->bytes() > most_text_bytes) return {};
  return file.metadata().get<std::string>("general.architecture");
}

Description description_of(const GgufFile& file, const Arguments& a) {
  Description d;
  d.architecture = architecture_of(file);
  const CpuDevice device({.threads = 1, .simd_level = simd_level(a)});
  const std::string forms = forms_text(device.level(), device.team().forms());
  d.simd = device.simd_level();
  if (!forms.empty()) d.simd += "; multiply-adds take common factors from: " + forms;
  try {
    TraceDevice trace;
    d.model = trace_model(file, trace);
  } catch (const Error& error) {
    if (a.has("--ops")) throw;  // there is no forward to trace
    d.obstacle = without_path(file, error.what());
  }
  try {
    const auto kind = file.metadata().get_or<std::string>("tokenizer.ggml.model", "none");
    if (kind != "none" && kind != "no_vocab") d.tokenizer = Tokenizer::from_metadata(file.metadata());
  } catch (const Error& error) {
    d.no_tokenizer = without_path(file, error.what());
  }
  if (d.model != nullptr) d.memory = memory_rows(file, device, d.model->sizes());
  return d;
}

Json description_json(const GgufFile& file, const Description& d) {
  Json files = Json::array();
  for (const auto& path : file.paths()) files.push_back(path.string());
  Json json{{"files", files},
            {"file_bytes", file.file_bytes()},
            {"missing_bytes", file.missing_bytes()},
            {"gguf_version", file.version()},
            {"architecture", d.architecture},
            {"runs", d.obstacle.empty()},
            {"hyperparameters", hyperparameters_json(file, !d.no_tokenizer.empty())},
            {"tokenizer", d.tokenizer ? tokenizer_json(*d.tokenizer) : Json(nullptr)},
            {"parameters", parameters_json(file)},
            {"parameter_count", count_in_all(file)},
            {"parameter_bytes", bytes_in_all(file)},
            {"tied", d.model == nullptr ? Json(nullptr) : Json(d.model->tied())},
            {"memory", memory_json(d.memory)}};
  if (!d.obstacle.empty()) json["obstacle"] = d.obstacle;
  return json;
}

void print_description(const GgufFile& file, const Description& d, bool every, Console& console) {
  const std::int64_t count = count_in_all(file);
  console.print("{}: {}, {} {}, {}{}\n", shown(file.path()),
                d.architecture.empty() ? "no architecture" : one_line(d.architecture), short_count(count),
                plural(count, "parameter"), bytes_text(static_cast<std::int64_t>(file.file_bytes())),
                file.paths().size() > 1 ? fmt::format(" in {} shards", file.paths().size()) : "");
  if (!d.obstacle.empty()) console.print("It does not run here: {}\n", one_line(d.obstacle));
  print_hyperparameters(hyperparameters_json(file, !d.no_tokenizer.empty()), console);
  if (d.no_tokenizer.empty()) {
    print_tokenizer(d.tokenizer, console);
  } else {
    console.print("\nTokenizer: cannot be used: {}\n", one_line(d.no_tokenizer));
  }
  print_parameters(file, d.model != nullptr && d.model->tied(), every, console);
  if (!d.memory.empty()) print_memory(d.memory, console);
  console.print("\nSIMD level {}\n", d.simd);
}

void run(const Arguments& a, Console& console) {
  const GgufFile file = open_header(find_model(a, console));
  if (file.missing_bytes() > 0) {
    console.note("note: {}: {} of tensor data are missing; it can be described, not run", shown(file.path()),
                 bytes_text(static_cast<std::int64_t>(file.missing_bytes())));
  }
  const Description d = description_of(file, a);
  if (d.tokenizer) {
    tell_notes(d.tokenizer->notes(), console);
  }
  const std::int64_t tokens = a.has("--ops") ? trace_tokens(d.model->sizes(), a.integer("--tokens")) : 0;
  if (a.has("--json")) {
    Json json = description_json(file, d);
    if (a.has("--ops")) json["ops"] = ops_json(file, tokens);
    return console.print(line_of(json));
  }
  print_description(file, d, a.has("--all"), console);
  if (a.has("--ops")) console.print(ops_text(file, tokens));
}

std::vector<JsonForm> json_forms() {
  return {{"",
           {{"files", "array", "paths, more than one for shards; built-in: the one inside the program"},
            {"files[]", "string", ""},
            {"file_bytes", "integer", "their size"},
            {"missing_bytes", "integer", "tensor data that the files lack"},
            {"gguf_version", "integer", "2 or 3"},
            {"architecture", "string", "general.architecture, empty if the file names none"},
            {"runs", "boolean", "whether this program runs it"},
            {"obstacle", "string", "why it does not", false},
            {"hyperparameters", "object",
             "all keys but those of a tokenizer that can be used; arrays and texts over 1 MiB as their type"},
            {"hyperparameters.*", "integer or number or string or boolean", "", false},
            {"tokenizer", "object or null", "null when the file has none that can be used"},
            {"tokenizer.model", "string", "llama (SPM) or gpt2 (byte-level BPE)", false},
            {"tokenizer.pre", "string", "name of the pre-tokenizer, empty for SPM", false},
            {"tokenizer.tokens", "integer", "size of the vocabulary", false},
            {"tokenizer.bos", "object or null", "token that begins a text", false},
            {"tokenizer.bos.id", "integer", "", false},
            {"tokenizer.bos.text", "string", "", false},
            {"tokenizer.eos", "object or null", "token that ends a text", false},
            {"tokenizer.eos.id", "integer", "", false},
            {"tokenizer.eos.text", "string", "", false},
            {"tokenizer.adds_bos", "boolean", "whether texts get it", false},
            {"tokenizer.adds_eos", "boolean", "whether texts get it", false},
            {"tokenizer.control_tokens", "integer", "how many", false},
            {"tokenizer.byte_tokens", "integer", "how many", false},
            {"tokenizer.chat_template", "boolean", "whether there is one", false},
            {"parameters", "array", "tensors in the order of the file"},
            {"parameters[]", "object", ""},
            {"parameters[].name", "string", ""},
            {"parameters[].shape", "array", "outermost axis first"},
            {"parameters[].shape[]", "integer", ""},
            {"parameters[].type", "string", "element type"},
            {"parameters[].count", "integer", "elements"},
            {"parameters[].bytes", "integer", ""},
            {"parameters[].share", "number", "of all bytes, 0 to 1"},
            {"parameter_count", "integer", "elements of all tensors; a tied head counts once"},
            {"parameter_bytes", "integer", "their bytes"},
            {"tied", "boolean or null", "whether the head is token_embd; null: it does not run here"},
            {"memory", "array", "estimates in bytes; none of what does not run here"},
            {"memory[]", "object", ""},
            {"memory[].context", "integer", "tokens of each sequence"},
            {"memory[].kv", "string", "type of the KV cache"},
            {"memory[].sequences", "integer", "decoded together"},
            {"memory[].weights", "integer", "parameters as the device holds them"},
            {"memory[].kv_bytes", "integer", "KV caches when full"},
            {"memory[].activations", "integer", "the largest forward and its logits"},
            {"memory[].tokenizer", "integer", "metadata and tokenizer, roughly"},
            {"memory[].total", "integer", "their sum"},
            {"ops", "array", "the trace of one forward, with --ops", false},
            {"ops[]", "object", "", false},
            {"ops[].scope", "string", "the module whose forward runs", false},
            {"ops[].op", "string", "name of the op", false},
            {"ops[].formula", "string", "", false},
            {"ops[].inputs", "array", "values: name, and axes or shape", false},
            {"ops[].inputs[]", "string", "", false},
            {"ops[].outputs", "array", "values: name, and axes or shape", false},
            {"ops[].outputs[]", "string", "", false},
            {"ops[].hyperparameters", "object", "constants of the op", false},
            {"ops[].hyperparameters.*", "string", "", false},
            {"ops[].flops", "number", "multiplications and additions", false},
            {"ops[].bytes", "number", "read and written, each value once", false}}}};
}

}  // namespace

Verb describe_verb() {
  return {
      .name = "describe",
      .summary = "show what a model is and how much memory it needs",
      .details =
          "Reads the header alone: hyperparameters, tokenizer, parameters, memory, and with --ops the trace "
          "of one forward. Any valid GGUF file is described, also one that does not run here, such as an adapter, a "
          "vocabulary or a model of another architecture; the answer says why.",
      .positionals = {model_positional()},
      .options = {{.name = "--all", .help = "every tensor, not one line for all blocks"},
                  {.name = "--ops", .help = "the ops of one forward: scope, formula, values, FLOPs, bytes"},
                  {.name = "--tokens",
                   .metavar = "N",
                   .type = Type::integer,
                   .help = "tokens of the traced forward",
                   .fallback_words = "512, or the context if that is less",
                   .min = 1,
                   .max = 1 << 20},
                  {.name = "--simd",
                   .metavar = "LEVEL",
                   .type = Type::text,
                   .help = "SIMD level whose layout of the weights is counted",
                   .fallback_words = "the best of this processor"}},
      .json = json_forms(),
      .examples = {{{"toy describe model.gguf", "what is in a file, and does it fit into memory"},
                    {"toy describe model.gguf --ops --tokens 1", "what decoding one token computes"}}},
      .run = run};
}

}  // namespace toy::cli

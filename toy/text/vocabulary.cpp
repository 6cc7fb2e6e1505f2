#include "toy/text/vocabulary.h"

#include <fmt/format.h>

#include <cmath>
#include <string_view>

#include "toy/io/metadata.h"
#include "toy/io/plural.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/text/bytes.h"

namespace toy {

namespace {

// Four times what the largest published vocabularies have.
constexpr std::size_t most_tokens = 1 << 20;
constexpr std::size_t most_merges = 1 << 21;

constexpr std::string_view key_model = "tokenizer.ggml.model";
constexpr std::string_view key_pre = "tokenizer.ggml.pre";
constexpr std::string_view key_tokens = "tokenizer.ggml.tokens";
constexpr std::string_view key_scores = "tokenizer.ggml.scores";
constexpr std::string_view key_types = "tokenizer.ggml.token_type";
constexpr std::string_view key_merges = "tokenizer.ggml.merges";
constexpr std::string_view key_add_bos = "tokenizer.ggml.add_bos_token";
constexpr std::string_view key_add_eos = "tokenizer.ggml.add_eos_token";
constexpr std::string_view key_add_space_prefix = "tokenizer.ggml.add_space_prefix";
constexpr std::string_view key_chat_template = "tokenizer.chat_template";

struct IdKey {
  std::string_view key;
  std::optional<std::int32_t> Vocabulary::*id;
};

constexpr IdKey id_keys[] = {
    {"tokenizer.ggml.bos_token_id", &Vocabulary::bos},     {"tokenizer.ggml.eos_token_id", &Vocabulary::eos},
    {"tokenizer.ggml.unknown_token_id", &Vocabulary::unk}, {"tokenizer.ggml.padding_token_id", &Vocabulary::pad},
    {"tokenizer.ggml.eot_token_id", &Vocabulary::eot},     {"tokenizer.ggml.eom_token_id", &Vocabulary::eom}};

constexpr std::string_view fim_end_keys[] = {"tokenizer.ggml.fim_pad_token_id", "tokenizer.ggml.fim_rep_token_id",
                                             "tokenizer.ggml.fim_sep_token_id"};

StringTable copy_strings(const StringArray& strings) {
  StringTable table;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < strings.size(); ++i) bytes += strings[i].size();
  table.reserve(strings.size(), bytes);
  for (std::size_t i = 0; i < strings.size(); ++i) table.push_back(strings[i]);
  return table;
}

std::vector<TokenType> read_types(const NumberArray& numbers, std::vector<std::string>& notes) {
  std::vector<TokenType> types(numbers.size(), TokenType::normal);
  std::size_t strange = 0;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const auto number = numbers.at<std::int64_t>(i);
    const bool known = number >= 0 && number <= 6;
    if (known) types[i] = static_cast<TokenType>(number);
    strange += !known;
  }
  if (strange > 0)
    notes.push_back(fmt::format("{}: {} {} outside 0 to 6: taken as normal tokens", key_types, strange,
                                plural(strange, "value is", "values are")));
  return types;
}

/// An id of the vocabulary; one outside of it is noted and ignored.
std::optional<std::int32_t> read_id(const Metadata& metadata, std::string_view key, std::size_t tokens,
                                    std::vector<std::string>& notes) {
  const auto id = metadata.find<std::int64_t>(key);
  if (!id) return std::nullopt;
  if (*id >= 0 && *id < static_cast<std::int64_t>(tokens)) return static_cast<std::int32_t>(*id);
  notes.push_back(fmt::format("{}: ignored {}, the vocabulary has ids 0 to {}", key, *id, tokens - 1));
  return std::nullopt;
}

void check_model(std::string_view model) {
  if (model == "llama" || model == "gpt2") return;
  fail("{}: expected \"llama\" or \"gpt2\", found {}; use token ids instead of text", key_model, in_quotes(model));
}

void check_count(std::string_view key, std::string_view what, std::uint64_t count, std::uint64_t most) {
  if (count > most) fail("{}: expected at most {} {}, found {}", key, most, what, count);
}

void check_sizes(std::size_t tokens, std::size_t merges) {
  if (tokens == 0) fail("{}: expected at least one token, found none", key_tokens);
  check_count(key_tokens, "tokens", tokens, most_tokens);
  check_count(key_merges, "merges", merges, most_merges);
}

}  // namespace

void repair(Vocabulary& vocabulary) {
  const std::size_t tokens = vocabulary.tokens.size();
  std::vector<std::string>& notes = vocabulary.notes;
  check_model(vocabulary.model);
  check_sizes(tokens, vocabulary.merges.size());

  std::size_t empty = 0;
  for (std::size_t i = 0; i < tokens; ++i) empty += vocabulary.tokens[i].empty();
  if (empty > 0) {
    StringTable named;
    for (std::size_t i = 0; i < tokens; ++i) {
      named.push_back(vocabulary.tokens[i].empty() ? fmt::format("[EMPTY_{}]", i) : vocabulary.tokens[i]);
    }
    vocabulary.tokens = std::move(named);
    notes.push_back(
        fmt::format("{}: {} {} empty: named [EMPTY_<id>]", key_tokens, empty, plural(empty, "token is", "tokens are")));
  }

  const auto fit = [&](auto& list, std::string_view key, auto value) {
    if (!list.empty() && list.size() != tokens) {
      notes.push_back(fmt::format("{}: expected {} values, found {}: cut or filled up", key, tokens, list.size()));
    }
    list.resize(tokens, value);
  };
  fit(vocabulary.types, key_types, TokenType::normal);
  if (vocabulary.model == "llama" && vocabulary.scores.empty()) {
    notes.push_back(fmt::format("{} is missing: all 0", key_scores));
  }
  fit(vocabulary.scores, key_scores, 0.0f);
  for (float& score : vocabulary.scores) {
    if (std::isnan(score)) score = 0;
  }

  for (const IdKey& entry : id_keys) {
    auto& id = vocabulary.*entry.id;
    if (id && (*id < 0 || static_cast<std::size_t>(*id) >= tokens)) id.reset();
  }
}

Vocabulary read_vocabulary(const Metadata& metadata) {
  Vocabulary v;
  v.model = metadata.get<std::string>(key_model);
  v.pre = metadata.find<std::string>(key_pre);
  check_model(v.model);
  const std::size_t tokens = metadata.count_strings(key_tokens);
  const std::size_t merges = metadata.count_strings(key_merges);
  check_sizes(tokens, merges);
  for (std::string_view key : {key_scores, key_types}) {
    const MetaValue* list = metadata.value(key);
    if (list != nullptr) check_count(key, "values", list->count, most_tokens);
  }
  if (const auto scores = metadata.find<NumberArray>(key_scores)) v.scores = scores->to_vector<float>();
  if (const auto types = metadata.find<NumberArray>(key_types)) v.types = read_types(*types, v.notes);
  for (const IdKey& entry : id_keys) v.*entry.id = read_id(metadata, entry.key, tokens, v.notes);
  for (std::string_view key : fim_end_keys) {
    if (const auto id = read_id(metadata, key, tokens, v.notes)) v.fim_ends.push_back(*id);
  }
  v.add_bos = metadata.find<bool>(key_add_bos);
  v.add_eos = metadata.find<bool>(key_add_eos);
  v.add_space_prefix = metadata.find<bool>(key_add_space_prefix);
  v.chat_template = metadata.get_or<std::string>(key_chat_template, "");
  v.tokens = copy_strings(metadata.get<StringArray>(key_tokens));
  if (merges > 0) v.merges = copy_strings(metadata.get<StringArray>(key_merges));
  return v;
}

void write_vocabulary(const Vocabulary& v, Metadata& metadata) {
  const auto strings = [](const StringTable& table) {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < table.size(); ++i) list.emplace_back(table[i]);
    return list;
  };
  metadata.set(key_model, v.model);
  if (v.pre) metadata.set(key_pre, *v.pre);
  metadata.set_strings(key_tokens, strings(v.tokens));
  if (!v.scores.empty()) metadata.set_array<float>(key_scores, v.scores);
  if (!v.types.empty()) {
    const std::vector<std::int32_t> numbers = [&] {
      std::vector<std::int32_t> list;
      list.reserve(v.types.size());
      for (TokenType type : v.types) list.push_back(static_cast<std::int32_t>(type));
      return list;
    }();
    metadata.set_array<std::int32_t>(key_types, numbers);
  }
  if (!v.merges.empty()) metadata.set_strings(key_merges, strings(v.merges));
  for (const IdKey& entry : id_keys) {
    if (const auto id = v.*entry.id) metadata.set(entry.key, static_cast<std::uint32_t>(*id));
  }
  if (v.add_bos) metadata.set(key_add_bos, *v.add_bos);
  if (v.add_eos) metadata.set(key_add_eos, *v.add_eos);
  if (v.add_space_prefix) metadata.set(key_add_space_prefix, *v.add_space_prefix);
  if (!v.chat_template.empty()) metadata.set(key_chat_template, v.chat_template);
}

Vocabulary byte_vocabulary() {
  Vocabulary v;
  v.model = "llama";
  v.tokens = {"<unk>", "<s>", "</s>"};
  v.types = {TokenType::unknown, TokenType::control, TokenType::control};
  for (int byte = 0; byte < 256; ++byte) {
    const bool space = byte == ' ';
    v.tokens.push_back(space ? std::string(visible_space) : fmt::format("<0x{:02X}>", byte));
    v.types.push_back(space ? TokenType::normal : TokenType::byte);
  }
  v.scores.assign(v.tokens.size(), 0.0f);
  v.unk = 0;
  v.bos = 1;
  v.eos = 2;
  v.add_bos = true;
  v.add_eos = false;
  v.add_space_prefix = false;
  return v;
}

}  // namespace toy

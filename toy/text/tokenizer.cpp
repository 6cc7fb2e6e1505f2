#include "toy/text/tokenizer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "toy/io/plural.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/text/bpe.h"
#include "toy/text/bytes.h"
#include "toy/text/pretokenize.h"
#include "toy/text/spm.h"
#include "toy/text/stream.h"

namespace toy {

namespace {

/// Spellings that end a turn or a text in published models, where the metadata does not name them.
constexpr std::string_view generation_end_texts[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<eos>",
    "</s>",
    "<end_of_utterance>",
    "<turn|>",
    "<|tool_response>",
    "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
};

std::string spaces_made_plain(std::string_view text) {
  std::string plain;
  for (std::size_t at = text.find(visible_space); at != std::string_view::npos; at = text.find(visible_space)) {
    plain.append(text.substr(0, at)).append(" ");
    text.remove_prefix(at + visible_space.size());
  }
  return plain.append(text);
}

/// The bytes that a token of byte-level BPE spells. A token with other characters in it stands for itself.
std::string bytes_spelled(std::string_view token) {
  std::string bytes;
  for (std::string_view rest = token; !rest.empty();) {
    const Utf8Head head = utf8_head(rest);
    const auto byte =
        head.kind == Utf8Head::valid ? unicode_to_byte(decode_utf8(rest.substr(0, head.length))) : std::nullopt;
    if (!byte) return std::string(token);
    bytes += static_cast<char>(*byte);
    rest.remove_prefix(head.length);
  }
  return bytes;
}

}  // namespace

Tokenizer Tokenizer::from_vocabulary(Vocabulary vocabulary) { return Tokenizer(std::move(vocabulary)); }

Tokenizer Tokenizer::from_metadata(const Metadata& metadata) { return Tokenizer(read_vocabulary(metadata)); }

Tokenizer::Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
  repair(vocabulary_);
  std::vector<std::string>& notes = vocabulary_.notes;
  const auto pieces = std::make_shared<PieceTable>(std::exchange(vocabulary_.tokens, {}), vocabulary_.types);
  pieces_ = pieces;
  if (pieces->duplicates() > 0) {
    notes.push_back(fmt::format("tokenizer.ggml.tokens: {} {} the spelling of an earlier one and {} never produced",
                                pieces->duplicates(), plural(pieces->duplicates(), "token repeats", "tokens repeat"),
                                plural(pieces->duplicates(), "is", "are")));
  }
  std::optional<PreTokenizer> pre_tokenizer;
  if (vocabulary_.model == "llama") {
    drops_first_space_ = vocabulary_.add_space_prefix.value_or(true);
    adds_bos_ = true;
  } else {
    pre_tokenizer.emplace(choose_pre());
    adds_bos_ = pre_tokenizer->add_bos();
  }
  choose_special_ids();
  find_generation_ends(*pieces);
  for (TokenType type : vocabulary_.types) ++counts_[static_cast<std::size_t>(type)];
  special_ = SpecialTokens(*pieces, vocabulary_.types, notes);
  if (pre_tokenizer) {
    encoder_ = std::make_shared<BpeEncoder>(vocabulary_, pieces, std::move(*pre_tokenizer), notes);
  } else {
    encoder_ = std::make_shared<SpmEncoder>(vocabulary_, pieces, notes);
  }
  vocabulary_.merges = {};
  vocabulary_.scores = {};
}

const std::string& Tokenizer::choose_pre() {
  std::vector<std::string>& notes = vocabulary_.notes;
  pre_ = vocabulary_.pre.value_or("default");
  if (!vocabulary_.pre) notes.push_back("tokenizer.ggml.pre is missing: using the pre-tokenizer \"default\"");
  if (!PreTokenizer::known(pre_)) {
    notes.push_back(fmt::format(
        "tokenizer.ggml.pre: no pre-tokenizer {}: using \"default\", texts may be split differently", in_quotes(pre_)));
    pre_ = "default";
  }
  return pre_;
}

/// Files without the keys mean the ids that the format's first models had.
void Tokenizer::choose_special_ids() {
  const bool spm = vocabulary_.model == "llama";
  const auto choose = [this](std::optional<std::int32_t>& id, std::int32_t usual) {
    if (!id && usual < size() && type(usual) == TokenType::control) id = usual;
  };
  choose(vocabulary_.bos, spm ? 1 : 11);
  choose(vocabulary_.eos, spm ? 2 : 11);
  adds_bos_ = vocabulary_.add_bos.value_or(adds_bos_);
  adds_eos_ = vocabulary_.add_eos.value_or(false);
  if (adds_bos_ && !vocabulary_.bos) {
    vocabulary_.notes.push_back("texts should begin with BOS, but the vocabulary names no such token: left out");
    adds_bos_ = false;
  }
  if (adds_eos_ && !vocabulary_.eos) {
    vocabulary_.notes.push_back("texts should end with EOS, but the vocabulary names no such token: left out");
    adds_eos_ = false;
  }
}

void Tokenizer::find_generation_ends(PieceTable& pieces) {
  std::vector<std::int32_t>& ends = generation_ends_;
  ends = vocabulary_.fim_ends;
  for (const auto& id : {vocabulary_.eos, vocabulary_.eot, vocabulary_.eom}) {
    if (id) ends.push_back(*id);
  }
  for (std::string_view text : generation_end_texts) {
    const auto id = find(text);
    if (!id) continue;
    ends.push_back(*id);
    TokenType& type = vocabulary_.types[static_cast<std::size_t>(*id)];
    if (type == TokenType::control) continue;
    vocabulary_.notes.push_back(fmt::format("token {} ({}) is not marked as a control token: taken as one", *id, text));
    type = TokenType::control;
    pieces.make_special(*id);
  }
  // Models with <|return|> and <|call|> use <|end|> between the messages of one answer.
  if (const auto end = find("<|end|>"); end && find("<|return|>") && find("<|call|>")) std::erase(ends, *end);
  std::ranges::sort(ends);
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

bool Tokenizer::ends_generation(std::int32_t id) const { return std::ranges::binary_search(generation_ends_, id); }

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<std::int32_t> all;
  encode(text, options, [&](std::span<const std::int32_t> ids) { all.insert(all.end(), ids.begin(), ids.end()); });
  return all;
}

void Tokenizer::encode(std::string_view text, EncodeOptions options, const TakeIds& take) const {
  // Positions within a text are 32-bit, and spaces may triple in size.
  constexpr std::size_t longest_text = std::numeric_limits<std::int32_t>::max() / 3;
  if (text.size() > longest_text)
    refuse("text of {} bytes: at most {} can be tokenized at once; cut it", text.size(), longest_text);

  constexpr std::size_t at_once = 8192;
  std::vector<std::int32_t> ids;
  const auto flush = [&] {
    take(ids);
    ids.clear();
  };
  const std::function<void()> between = [&] {
    if (ids.size() >= at_once) flush();
  };
  if (options.add_special && adds_bos_) ids.push_back(*bos());
  for (const Fragment& fragment : special_.partition(text, options.parse_special)) {
    if (fragment.token >= 0) {
      ids.push_back(fragment.token);
    } else {
      encoder_->encode(fragment.text, ids, between);
    }
  }
  if (options.add_special && adds_eos_) ids.push_back(*eos());
  flush();
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, DecodeOptions options) const {
  StreamingDetokenizer stream(*this, options);
  std::string text;
  for (std::int32_t id : ids) text += stream.push(id);
  return text + stream.finish();
}

std::string Tokenizer::piece(std::int32_t id, bool special) const {
  const std::string_view text = token(id);
  switch (type(id)) {
    case TokenType::control:
    case TokenType::unknown:
      return special ? std::string(text) : "";
    case TokenType::unused:
      return "";
    case TokenType::user_defined:
      return std::string(text);
    case TokenType::byte:
      if (const auto byte = parse_byte_token(text)) return std::string(1, static_cast<char>(*byte));
      return std::string(text);
    case TokenType::undefined:
    case TokenType::normal:
      break;
  }
  return vocabulary_.model == "llama" ? spaces_made_plain(text) : bytes_spelled(text);
}

std::string_view Tokenizer::token(std::int32_t id) const {
  if (id < 0 || id >= size()) refuse("token id {}: the vocabulary has ids 0 to {}", id, size() - 1);
  return (*pieces_)[id];
}

TokenType Tokenizer::type(std::int32_t id) const {
  if (id < 0 || id >= size()) refuse("token id {}: the vocabulary has ids 0 to {}", id, size() - 1);
  return vocabulary_.types[static_cast<std::size_t>(id)];
}

}  // namespace toy

#include "tests/text/bpe_trial.h"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "toy/text/tokenizer.h"
#include "toy/text/train_bpe.h"

namespace toy::test {

namespace {

std::string corpus_of(std::span<const std::uint8_t> bytes, bool fragments) {
  constexpr std::string_view parts[] = {"a",      "b", " ",  "\n",   "<s>", "</s>",  "<",        "s>",
                                        "<0x41>", "é", "你", "\xFF", "aaa", "<unk>", "\xE2\x96", "nk>"};
  std::string text;
  for (std::uint8_t byte : bytes) {
    if (fragments) {
      text += parts[byte % std::size(parts)];
    } else {
      text += static_cast<char>(byte);
    }
  }
  return text;
}

std::size_t occurrences(std::string_view text, std::string_view wanted) {
  std::size_t count = 0;
  for (std::size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1)) ++count;
  return count;
}

void require(bool holds, const char* promise) {
  if (!holds) throw std::logic_error(promise);
}

}  // namespace

void bpe_trial(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < 4) return;
  const std::string text = corpus_of(bytes.subspan(4), bytes[0] % 4 != 0);
  BpeOptions options;
  options.merges = bytes[1] % 64;
  options.min_pair_count = 1 + bytes[2] % 3;
  options.min_character_count = bytes[3] % 4;
  const TrainedVocabulary trained = train_bpe(text, options);
  options.listed_places = 1 + bytes[0] * (1 + bytes[3] / 4);
  options.counted_pairs = 1 + bytes[2];
  const TrainedVocabulary again = train_bpe(text, options);
  require(again.vocabulary.tokens.size() == trained.vocabulary.tokens.size(), "rounds change the number of pieces");
  for (std::size_t i = 0; i < trained.vocabulary.tokens.size(); ++i) {
    require(again.vocabulary.tokens[i] == trained.vocabulary.tokens[i], "rounds change the pieces");
  }

  const Tokenizer tokenizer = Tokenizer::from_vocabulary(trained.vocabulary);
  require(tokenizer.notes().empty(), "a learned vocabulary needs repair");
  const std::vector<std::int32_t> ids = tokenizer.encode(text, {.add_special = false});
  require(ids.size() == trained.tokens, "the corpus is encoded in another way than training did");
  std::string joined;
  std::uint64_t byte_tokens = 0;
  for (std::int32_t id : ids) {
    const TokenType type = tokenizer.type(id);
    require(type == TokenType::normal || type == TokenType::byte, "text became a token that is no text");
    byte_tokens += type == TokenType::byte;
    joined += tokenizer.piece(id);
  }
  if (options.min_character_count < 2) {
    require(byte_tokens == trained.invalid_bytes, "text became the token of another byte");
  }
  if (occurrences(text, "\u2581") == 0) require(joined == text, "the pieces do not join to the text");
}

}  // namespace toy::test

#include "tests/text/tokenizer_trial.h"

#include <array>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "toy/io/metadata.h"
#include "toy/tensor/error.h"
#include "toy/text/bytes.h"
#include "toy/text/stream.h"
#include "toy/text/tokenizer.h"

namespace toy::test {

namespace {

class Choices {
 public:
  explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {
    for (std::uint8_t byte : bytes) state_ = (state_ ^ byte) * 0x100000001B3;
  }

  std::uint8_t byte() {
    if (next_ < bytes_.size()) return bytes_[next_++];
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::uint8_t>(state_ >> 32);
  }
  /// A number below `limit`.
  std::size_t below(std::size_t limit) { return (byte() + 256u * byte()) % limit; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class List>
  auto pick(const List& list) {
    return list[below(std::size(list))];
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t next_ = 0;
  std::uint64_t state_ = 0xCBF29CE484222325;
};

constexpr std::string_view keys[] = {"tokenizer.ggml.model",
                                     "tokenizer.ggml.pre",
                                     "tokenizer.ggml.tokens",
                                     "tokenizer.ggml.scores",
                                     "tokenizer.ggml.token_type",
                                     "tokenizer.ggml.merges",
                                     "tokenizer.ggml.bos_token_id",
                                     "tokenizer.ggml.eos_token_id",
                                     "tokenizer.ggml.unknown_token_id",
                                     "tokenizer.ggml.padding_token_id",
                                     "tokenizer.ggml.eot_token_id",
                                     "tokenizer.ggml.fim_pad_token_id",
                                     "tokenizer.ggml.add_bos_token",
                                     "tokenizer.ggml.add_eos_token",
                                     "tokenizer.ggml.add_space_prefix",
                                     "tokenizer.chat_template"};

constexpr std::string_view strange_texts[] = {"",           "<0xGG>",
                                              "<0x-1>",     "<0x>",
                                              "<0x100>",    "<0x41>",
                                              "\xFF",       "\xE2\x96",
                                              "\u2581",     "\u2581\u2581a",
                                              "a",          " ",
                                              "a ",         " a",
                                              "a a",        "h e",
                                              "he ll",      "\u0120 a",
                                              "</s>",       "<s>",
                                              "<|end|>",    "[EMPTY_3]",
                                              "ab\xC3",     "\u0120hello",
                                              "\u0120",     "\xF4\x90\x80\x80",
                                              "<|im_end|>", "\u00C3 \u00A9",
                                              "你",         "a\nb"};

constexpr std::string_view texts[] = {"",
                                      " ",
                                      "hello  hello",
                                      "a\xFFz\xE2\x96",
                                      "</s> <s>x<|end|>",
                                      "é你😀 1234\n\n  x",
                                      "aaaaaaaaaaaaaaaaaaaaaaaa",
                                      "\u2581 \u2581",
                                      "<0x41>[EMPTY_3]",
                                      "I'm 'LL\r\n"};

std::string text(Choices& c) {
  if (c.one_in(40)) return std::string(c.below(5000), static_cast<char>(c.byte()));
  if (!c.one_in(3)) return std::string(c.pick(strange_texts));
  std::string bytes;
  for (std::size_t n = c.below(10); n > 0; --n)
    bytes += c.one_in(2) ? c.pick("ab \xE2\x96\x81 hel") : static_cast<char>(c.byte());
  return bytes;
}

std::int64_t number(Choices& c) {
  constexpr std::int64_t edges[] = {0,     1,         2,         -1,        255,       256,       264,
                                    65535, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 0xFFFFFFFF};
  return c.one_in(2) ? c.pick(edges) : static_cast<std::int64_t>(c.below(300));
}

std::vector<std::string> strings_of(const Metadata& metadata, std::string_view key) {
  std::vector<std::string> list;
  const MetaValue* value = metadata.value(key);
  if (value == nullptr || value->type != ValueType::Array || value->element != ValueType::String) return list;
  const auto strings = metadata.get<StringArray>(key);
  for (std::size_t i = 0; i < strings.size(); ++i) list.emplace_back(strings[i]);
  return list;
}

/// Sets the key to some number, bool, string or list, mostly of the wrong type.
void set_anything(Metadata& metadata, std::string_view key, Choices& c) {
  const std::int64_t n = number(c);
  const std::vector<std::int64_t> several(c.below(300), n);
  const std::vector<float> reals(c.below(300),
                                 c.one_in(3) ? std::numeric_limits<float>::infinity() : static_cast<float>(n));
  const std::vector<std::uint8_t> small(c.below(300), static_cast<std::uint8_t>(n));
  switch (c.below(13)) {
    case 0:
      return metadata.set(key, static_cast<std::uint32_t>(n));
    case 1:
      return metadata.set(key, static_cast<std::int32_t>(n));
    case 2:
      return metadata.set(key, n);
    case 3:
      return metadata.set(key, static_cast<std::uint64_t>(n));
    case 4:
      return metadata.set(key, static_cast<float>(n));
    case 5:
      return metadata.set(key, n % 2 == 0);
    case 6:
      return metadata.set(key, std::string_view(text(c)));
    case 7:
      return metadata.set_array<std::int64_t>(key, several);
    case 8:
      return metadata.set_array<float>(key, reals);
    case 9:
      return metadata.set_array<std::uint8_t>(key, small);
    case 10:
      return metadata.set_strings(key, std::vector<std::string>(c.below(5), text(c)));
    case 11:
      return metadata.set_array<float>(key, std::vector<float>(c.below(3), std::numeric_limits<float>::quiet_NaN()));
    default:
      return metadata.set_strings(key, {});
  }
}

void change_strings(Metadata& metadata, std::string_view key, Choices& c) {
  std::vector<std::string> list = strings_of(metadata, key);
  for (std::size_t n = 1 + c.below(8); n > 0; --n) {
    if (list.empty() || c.one_in(3)) {
      list.push_back(text(c));
    } else {
      std::string& entry = list[c.below(list.size())];
      entry = c.one_in(4) ? list[c.below(list.size())] : c.one_in(4) ? entry + text(c) : text(c);
    }
  }
  if (c.one_in(8)) list.resize(c.below(list.size() + 1));
  metadata.set_strings(key, list);
}

/// Values for scores or types, as many as tokens or not.
template <class T>
void change_numbers(Metadata& metadata, std::string_view key, Choices& c) {
  const std::size_t tokens = strings_of(metadata, "tokenizer.ggml.tokens").size();
  std::vector<T> list(c.one_in(3) ? c.below(600) : tokens);
  const bool valid = c.one_in(2);
  for (T& value : list) value = static_cast<T>(valid ? c.below(7) : static_cast<std::size_t>(c.byte()) - 100);
  metadata.set_array<T>(key, list);
}

void mutate(Metadata& metadata, Choices& c) {
  switch (c.below(10)) {
    case 0:
      return set_anything(metadata, c.pick(keys), c);
    case 1:
      return metadata.erase(c.pick(keys));
    case 2:
      return change_numbers<float>(metadata, "tokenizer.ggml.scores", c);
    case 3:
      return change_numbers<std::int32_t>(metadata, "tokenizer.ggml.token_type", c);
    case 4:
      return change_strings(metadata, "tokenizer.ggml.merges", c);
    case 5:
      return metadata.set("tokenizer.ggml.model", c.one_in(2) ? "llama" : "gpt2");
    case 6: {
      constexpr std::string_view names[] = {"gpt-2", "llama-bpe", "default", "deepseek-llm", "tekken", "none"};
      return metadata.set("tokenizer.ggml.pre", c.pick(names));
    }
    case 7:
      return metadata.set(keys[6 + c.below(6)], static_cast<std::uint32_t>(c.below(300)));
    default:
      return change_strings(metadata, "tokenizer.ggml.tokens", c);
  }
}

Metadata make_good(bool bpe) {
  Vocabulary v = byte_vocabulary();
  for (std::string_view piece : {"\u2581", "h", "e", "l", "he", "ll", "hell", "\u2581he", "\u2581\u2581", "a", "aa"}) {
    v.tokens.push_back(piece);
    v.types.push_back(TokenType::normal);
    v.scores.push_back(-static_cast<float>(v.tokens.size()));
  }
  if (bpe) {
    v.model = "gpt2";
    v.pre = "gpt-2";
    for (int byte = 0; byte < 256; ++byte) {
      std::string piece;
      append_utf8(piece, byte_to_unicode(static_cast<std::uint8_t>(byte)));
      if (piece != "h" && piece != "e" && piece != "l" && piece != "a") v.tokens.push_back(piece);
    }
    v.types.resize(v.tokens.size(), TokenType::normal);
    v.scores.clear();
    v.merges = {"h e", "l l", "he ll", "hell o", "\u0120 he", "a a"};
  }
  Metadata metadata;
  write_vocabulary(v, metadata);
  return metadata;
}

Metadata good_metadata(bool bpe) {
  static const Metadata good[] = {make_good(false), make_good(true)};
  return good[bpe];
}

void require(bool promise, const char* what) {
  if (!promise) throw std::logic_error(what);
}

bool is_one_line(std::string_view line) {
  return !line.empty() && line.find_first_of("\r\n") == std::string_view::npos;
}

void use(const Tokenizer& tokenizer, std::string_view text, Choices& c) {
  const EncodeOptions encoding{.add_special = c.one_in(2), .parse_special = c.one_in(2)};
  const DecodeOptions decoding{.special = c.one_in(2), .continues = c.one_in(2)};
  std::vector<std::int32_t> ids = tokenizer.encode(text, encoding);
  for (std::int32_t id : ids) require(id >= 0 && id < tokenizer.size(), "an encoded id is out of range");
  for (std::size_t n = c.below(8); n > 0; --n) {
    ids.push_back(static_cast<std::int32_t>(c.below(static_cast<std::size_t>(tokenizer.size()))));
  }
  const std::string decoded = tokenizer.decode(ids, decoding);
  require(replace_invalid_utf8(decoded) == decoded, "decoded text is not UTF-8");
  StreamingDetokenizer stream(tokenizer, decoding);
  std::string streamed;
  for (std::int32_t id : ids) {
    const std::string part = stream.push(id);
    require(replace_invalid_utf8(part) == part, "streamed text is not UTF-8");
    streamed += part;
  }
  require(streamed + stream.finish() == decoded, "streamed and decoded text differ");
}

}  // namespace

bool tokenizer_trial(std::span<const std::uint8_t> choices) {
  Choices c(choices);
  Metadata metadata = good_metadata(c.one_in(2));
  for (std::size_t n = c.below(5); n > 0; --n) mutate(metadata, c);
  std::optional<Tokenizer> tokenizer;
  try {
    tokenizer = Tokenizer::from_metadata(metadata);
  } catch (const Error& error) {
    require(is_one_line(error.what()), "an error is not one line");
    return false;
  }
  for (const std::string& note : tokenizer->notes()) require(is_one_line(note), "a note is not one line");
  for (int n = 0; n < 3; ++n) use(*tokenizer, c.one_in(3) ? std::string_view(text(c)) : c.pick(texts), c);
  return true;
}

}  // namespace toy::test

#include "toy/text/pretokenize.h"

#include <algorithm>
#include <array>

#include "toy/text/bytes.h"

namespace toy {

namespace {

// The patterns are those of the published tokenizers. Case-insensitive contractions, (?i:'s|'t|'re|'ve|'m|'ll|'d), are
// written out, because PCRE2 also folds characters outside ASCII.

constexpr std::string_view gpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view llama3 = R"('(?:[sSdDmMtT]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                                    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen2 = R"('(?:[sSdDmMtT]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                                   R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen35 =
    R"('(?:[sSdDmMtT]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
    R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view tekken = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
                                    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
                                    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view gpt4o = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
                                   R"((?:'(?:[sSdDmMtT]|[rR][eE]|[vV][eE]|[lL][lL]))?)"
                                   R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
                                   R"((?:'(?:[sSdDmMtT]|[rR][eE]|[vV][eE]|[lL][lL]))?)"
                                   R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// As gpt4o, with Han characters apart. A class of some letters without Han is the complement of all the rest.
constexpr std::string_view kimi_k2 =
    R"(\p{sc:Han}+)"
    R"(|[^\r\n\p{L}\p{N}]?[^\p{Ll}\p{N}\p{P}\p{S}\p{Z}\p{C}\p{sc:Han}]*)"
    R"([^\p{Lu}\p{Lt}\p{N}\p{P}\p{S}\p{Z}\p{C}\p{sc:Han}]+(?:'(?:[sSdDmMtT]|[rR][eE]|[vV][eE]|[lL][lL]))?)"
    R"(|[^\r\n\p{L}\p{N}]?[^\p{Ll}\p{N}\p{P}\p{S}\p{Z}\p{C}\p{sc:Han}]+)"
    R"([^\p{Lu}\p{Lt}\p{N}\p{P}\p{S}\p{Z}\p{C}\p{sc:Han}]*(?:'(?:[sSdDmMtT]|[rR][eE]|[vV][eE]|[lL][lL]))?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view bailingmoe = R"('(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                                        R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view seed_coder = R"('(?:[sSdDmMtT]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                                        R"(| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view deepseek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view bloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";

constexpr std::string_view digit = R"(\p{N})";
constexpr std::string_view digits = R"(\p{N}+)";
constexpr std::string_view three_digits = R"([0-9][0-9][0-9])";
constexpr std::string_view line_break = R"([\r\n])";
// U+0800 to U+D7FF without the gaps of the published pattern and without white space, which other runtimes leave out
// too.
constexpr std::string_view cjk =
    R"([\x{800}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF})"
    R"(\x{3001}-\x{9FA5}\x{AC00}-\x{D7FF}]+)";
constexpr std::string_view cjk_and_kana = R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)";

/// The cased letters of Unicode 11 or so, as DeepSeek's tokenizer lists them.
constexpr std::string_view deepseek_letters =
    R"(\s?[)"
    R"(A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF})"
    R"(\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1})"
    R"(\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5})"
    R"(\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A})"
    R"(\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B})"
    R"(\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC})"
    R"(\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107})"
    R"(\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134})"
    R"(\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4})"
    R"(\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787})"
    R"(\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A})"
    R"(\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2})"
    R"(\x{118A0}-\x{118DF}\x{1E900}-\x{1E943})"
    R"(]+)";
constexpr std::string_view deepseek_punctuation =
    R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3001}\x{3002}]+)";

struct Row {
  std::string_view names;  // separated by spaces
  std::array<std::string_view, 6> patterns;
  bool ignore_merges = false;
  bool add_bos = false;
};

// Not here, and so announced and treated as "default": superbpe (groups digits from the right, which takes time
// quadratic in their number) and gemma4 (has no byte-level alphabet). Tokenizers that clean spaces up while decoding do
// not here: it would change texts.
constexpr Row table[] = {
    {"default", {R"([\p{P}\$\+<=>\^~\|]+)", gpt2, digits, three_digits}},
    {"gpt-2 phi-2 gigachat a.x-4.0 mellum modern-bert exaone4 jina-es jina-de jina-v2-es jina-v2-de jina-v1-en "
     "jina-v2-code roberta-bpe mpt olmo jais trillion granite-docling",
     {gpt2}},
    {"starcoder refact codeshell exaone minerva-7b mellum2 smollm command-r", {digit, gpt2}},
    {"falcon", {R"([\p{P}\$\+<=>\^~\|`]+)", gpt2, three_digits}},
    {"llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", {llama3}, true, true},
    {"dbrx smaug-bpe glm4 chatglm-bpe", {llama3}},
    {"qwen2 deepseek-r1-qwen kormo f2llmv2 hunyuan solar-open grok-2 stablelm2 megrez", {qwen2}},
    {"qwen35", {qwen35}},
    {"tekken", {tekken}, true, true},
    {"gpt-4o llama4 kanana2 minimax-m2", {gpt4o}},
    {"kimi-k2", {kimi_k2}},
    {"deepseek-llm", {line_break, deepseek_letters, deepseek_punctuation, R"(\s+$)", cjk, digits}},
    {"deepseek-coder", {line_break, R"(\s?\p{L}+)", R"(\s?\p{P}+)", cjk, digit}},
    {"deepseek-v3 hunyuan-dense joyai-llm", {R"(\p{N}{1,3})", cjk_and_kana, deepseek3}},
    {"bloom gpt3-finnish poro-chat", {bloom}},
    {"viking", {bloom, digit}},
    {"bailingmoe", {bailingmoe}},
    {"seed-coder", {seed_coder}},
};

std::vector<std::string_view> words_of(std::string_view names) {
  std::vector<std::string_view> words;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(' '), names.size());
    words.push_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return words;
}

const Row* find_row(std::string_view name) {
  for (const Row& row : table) {
    for (std::string_view known : words_of(row.names)) {
      if (known == name) return &row;
    }
  }
  return nullptr;
}

/// The first and the last character; 0 where there is none that is whole.
char32_t first_character(std::string_view text) {
  if (text.empty()) return 0;
  const Utf8Head head = utf8_head(text);
  return head.kind == Utf8Head::valid ? decode_utf8(text.substr(0, head.length)) : 0;
}
char32_t last_character(std::string_view text) {
  std::size_t begin = text.size() - 1;
  for (int i = 0; i < 3 && begin > 0 && continues_character(text[begin]); ++i) --begin;
  const std::string_view last = text.substr(begin);
  return utf8_head(last).length == last.size() ? first_character(last) : 0;
}

/// Letters that every list joins to a space before them: of ASCII and Cyrillic ones.
bool is_letter(char32_t c) { return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z') || (c >= 0x400 && c < 0x480); }
bool is_han(char32_t c) { return c >= 0x4E00 && c <= 0x9FA5; }

}  // namespace

PreTokenizer::PreTokenizer(std::string_view name) {
  const Row* row = find_row(name);
  if (row == nullptr) row = find_row("default");
  for (std::string_view pattern : row->patterns) {
    if (!pattern.empty()) patterns_.emplace_back(pattern);
  }
  ignore_merges_ = row->ignore_merges;
  add_bos_ = row->add_bos;
}

bool PreTokenizer::known(std::string_view name) { return find_row(name) != nullptr; }

std::vector<std::string_view> PreTokenizer::names() {
  std::vector<std::string_view> all;
  for (const Row& row : table) {
    for (std::string_view name : words_of(row.names)) all.push_back(name);
  }
  return all;
}

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
  std::vector<std::string_view> words;
  if (!text.empty()) words.push_back(text);
  for (const Regex& pattern : patterns_) words = pattern.split(words);
  return words;
}

std::size_t PreTokenizer::word_break(std::string_view text, std::size_t from) {
  for (std::size_t at = std::max<std::size_t>(from, 1); at < text.size(); ++at) {
    if (text[at] == ' ') {
      if (is_letter(last_character(text.substr(0, at))) && is_letter(first_character(text.substr(at + 1)))) return at;
    } else if (text[at - 1] == '\n' && at > 1) {
      const char32_t before = last_character(text.substr(0, at - 1)), behind = first_character(text.substr(at));
      const bool ends = is_letter(before) || is_han(before) || (before > U' ' && before < 0x7F);
      if (ends && (is_letter(behind) || is_han(behind) || (behind >= U'0' && behind <= U'9'))) return at;
    }
  }
  return text.size();
}

}  // namespace toy

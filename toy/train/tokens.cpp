#include "toy/train/tokens.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "toy/io/quote.h"
#include "toy/tensor/error.h"
#include "toy/tensor/random.h"
#include "toy/text/bytes.h"

namespace toy {

namespace {

constexpr std::string_view magic = "TOYTOKEN";
constexpr std::uint64_t header_bytes = 32;

template <class Number>
Number number_at(std::span<const std::byte> bytes, std::size_t offset) {
  Number value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// The end of a word, or any other end of a character, near a random place; 0 or the size: no cut.
std::size_t random_cut(std::string_view text, Random& random) {
  std::size_t at = random.below(text.size() + 1);
  const bool at_word = random.below(2) == 0;
  while (at < text.size() && (continues_character(text[at]) || (at_word && text[at] != ' '))) ++at;
  return at;
}

/// A part to be encoded at once: encoding takes some 30 bytes for each of text where no word ends. It ends
/// before a space or behind a line end where there is one near its end.
std::string_view first_part(std::string_view text) {
  constexpr std::size_t most = 1 << 18, near = most / 2;
  if (text.size() <= most) return text;
  if (const std::size_t space = text.rfind(' ', most); space > near && space != std::string_view::npos) {
    return text.substr(0, space);
  }
  if (const std::size_t line = text.rfind('\n', most - 1); line > near && line != std::string_view::npos) {
    return text.substr(0, line + 1);
  }
  std::size_t end = most;
  while (end > near && continues_character(text[end])) --end;
  return text.substr(0, end);
}

/// The document in its parts, in order.
std::vector<std::string_view> cut(std::string_view document, std::int64_t cuts, Random& random) {
  std::vector<std::size_t> places{0, document.size()};
  for (std::int64_t i = 0; i < cuts; ++i) places.push_back(random_cut(document, random));
  std::ranges::sort(places);
  std::vector<std::string_view> parts;
  for (std::size_t i = 0; i + 1 < places.size(); ++i) {
    if (places[i] < places[i + 1]) parts.push_back(document.substr(places[i], places[i + 1] - places[i]));
  }
  return parts;
}

}  // namespace

TokenData TokenData::open(const Place& place) {
  const auto map = map_file(place);
  TokenData data(map->bytes(), shown(place.path()));
  data.owner_ = map;
  return data;
}

TokenData TokenData::over(std::shared_ptr<const std::vector<std::byte>> bytes, const std::string& name) {
  TokenData data(*bytes, name);
  data.owner_ = std::move(bytes);
  return data;
}

TokenData::TokenData(std::span<const std::byte> bytes, const std::string& name) {
  if (bytes.size() < header_bytes || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
    fail("{}: is no token file: expected it to begin with {}", name, magic);
  }
  const auto width = number_at<std::uint32_t>(bytes, 8), vocabulary = number_at<std::uint32_t>(bytes, 12);
  const auto count = number_at<std::uint64_t>(bytes, 16), documents = number_at<std::uint64_t>(bytes, 24);
  if (width != 2 && width != 4) fail("{}: expected ids of 2 or 4 bytes, found {}", name, width);
  const std::uint64_t most = bytes.size();
  if (count > most || documents > most || header_bytes + 8 * documents + width * count != bytes.size()) {
    fail("{}: expected {} documents and {} ids of {} bytes, found a file of {} bytes", name, documents, count, width,
         bytes.size());
  }
  count_ = static_cast<std::int64_t>(count);
  vocabulary_ = vocabulary;
  wide_ = width == 4;
  documents_ = {reinterpret_cast<const std::uint64_t*>(bytes.data() + header_bytes),
                static_cast<std::size_t>(documents)};
  ids_ = bytes.data() + header_bytes + 8 * documents;
  for (std::size_t i = 0; i < documents_.size(); ++i) {
    const bool good = i == 0 ? documents_[0] == 0 : documents_[i] > documents_[i - 1];
    if (!good || documents_[i] >= count) fail("{}: document {} begins out of order", name, i);
  }
  for (std::int64_t i = 0; i < count_; ++i) {
    if ((*this)[i] < 0 || (*this)[i] >= vocabulary_) {
      fail("{}: id {} at {} is outside the vocabulary of {}", name, (*this)[i], i, vocabulary);
    }
  }
}

std::int32_t TokenData::operator[](std::int64_t i) const {
  if (!wide_) {
    std::uint16_t id;
    std::memcpy(&id, ids_ + 2 * i, sizeof id);
    return id;
  }
  std::int32_t id;
  std::memcpy(&id, ids_ + 4 * i, sizeof id);
  return id;
}

std::span<const std::uint64_t> TokenData::documents(std::int64_t begin, std::int64_t end) const {
  const auto first = std::ranges::lower_bound(documents_, static_cast<std::uint64_t>(begin));
  const auto last = std::ranges::lower_bound(documents_, static_cast<std::uint64_t>(end));
  return {first, last};
}

std::vector<std::byte> encode_documents(const Tokenizer& tokenizer, std::span<const std::string_view> documents,
                                        const EncodingOptions& options, const EncodingProgress& progress) {
  Random random(options.seed, 0x637574);
  const std::size_t width = id_width(tokenizer.size());
  const auto texts = static_cast<std::size_t>(std::ranges::count_if(documents, [](auto d) { return !d.empty(); }));
  if (texts == 0) refuse("the corpus is empty: no document has any text");
  std::uint64_t characters = 0;
  for (const std::string_view document : documents) characters += document.size();
  const std::size_t first = header_bytes + 8 * texts;  // byte of the first id
  std::vector<std::byte> bytes;
  bytes.reserve(first + width * (characters + 2 * texts));  // more than enough; what is not used takes no memory
  bytes.resize(first);
  std::vector<std::uint64_t> starts;
  const auto add = [&](std::int32_t id) {
    const std::size_t at = bytes.size();
    bytes.resize(at + width);
    std::memcpy(bytes.data() + at, &id, width);  // little-endian: the low bytes come first
  };
  const auto add_all = [&](std::span<const std::int32_t> ids) { std::ranges::for_each(ids, add); };
  std::uint64_t done = 0;
  const auto encode_part = [&](std::string_view part) {
    while (!part.empty()) {
      if (progress && !progress(done, characters))
        fail("interrupted while the corpus was encoded; nothing was trained");
      const std::string_view here = first_part(part);
      tokenizer.encode(here, {.add_special = false}, add_all);
      part.remove_prefix(here.size());
      done += here.size();
      // The tokenizer puts a space of its own before each text.
      if (tokenizer.drops_first_space() && part.starts_with(' ')) part.remove_prefix(1);
    }
  };
  for (const std::string_view document : documents) {
    const auto parts = cut(document, options.cuts, random);
    if (parts.empty()) continue;
    starts.push_back((bytes.size() - first) / width);
    if (tokenizer.bos()) add(*tokenizer.bos());
    std::ranges::for_each(parts, encode_part);
    if (tokenizer.eos()) add(*tokenizer.eos());
  }
  if (bytes.size() == first) refuse("the corpus is empty: no document has any token");
  std::memcpy(bytes.data(), magic.data(), magic.size());
  std::byte* at = bytes.data() + magic.size();
  const auto put = [&](const auto& value) {
    std::memcpy(at, &value, sizeof value);
    at += sizeof value;
  };
  put(static_cast<std::uint32_t>(width));
  put(static_cast<std::uint32_t>(tokenizer.size()));
  put(static_cast<std::uint64_t>((bytes.size() - first) / width));
  put(static_cast<std::uint64_t>(starts.size()));
  for (const std::uint64_t start : starts) put(start);
  return bytes;
}

}  // namespace toy

#include "toy/text/special.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>

#include "toy/io/plural.h"

namespace toy {

namespace {

constexpr std::size_t longest_special = 512;

}  // namespace

SpecialTokens::SpecialTokens(const PieceTable& pieces, const std::vector<TokenType>& types,
                             std::vector<std::string>& notes) {
  std::size_t too_long = 0;
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(types.size()); ++id) {
    const TokenType type = types[id];
    if (type != TokenType::control && type != TokenType::unknown && type != TokenType::user_defined) continue;
    const std::string_view text = pieces[id];
    const bool user_defined = type == TokenType::user_defined;
    if (user_defined && pieces.find(text) != id) continue;
    too_long += text.size() > longest_special;
    if (text.size() > longest_special) continue;
    entries_.push_back({std::string(text), user_defined ? -1 : id, user_defined ? id : -1});
  }
  if (too_long > 0) {
    notes.push_back(fmt::format("{} special {} longer than {} bytes and {} not looked for in texts", too_long,
                                plural(too_long, "token is", "tokens are"), longest_special,
                                plural(too_long, "is", "are")));
  }
  std::ranges::stable_sort(entries_, {}, &Entry::text);
  // Tokens of one spelling become one entry.
  std::size_t kept = 0;
  for (Entry& entry : entries_) {
    if (kept > 0 && entries_[kept - 1].text == entry.text) {
      Entry& first = entries_[kept - 1];
      if (first.special < 0) first.special = entry.special;
      if (first.user_defined < 0) first.user_defined = entry.user_defined;
    } else if (&entries_[kept++] != &entry) {
      entries_[kept - 1] = std::move(entry);
    }
  }
  entries_.resize(kept);
  for (const Entry& entry : entries_) ++first_byte_[static_cast<std::uint8_t>(entry.text[0]) + 1];
  for (int byte = 0; byte < 256; ++byte) first_byte_[byte + 1] += first_byte_[byte];
}

/// Calls visit(entry) for every special token that `text` begins with, shortest first.
template <class Visit>
void SpecialTokens::visit_matches(std::string_view text, bool parse_special, Visit&& visit) const {
  const auto first = static_cast<std::uint8_t>(text[0]);
  auto low = entries_.begin() + first_byte_[first];
  auto high = entries_.begin() + first_byte_[first + 1];
  // The entries of [low, high) share their first `depth` bytes with the text.
  for (std::size_t depth = 1; low != high; ++depth) {
    if (low->text.size() == depth) {
      if (low->token(parse_special) >= 0) visit(*low);
      ++low;
    }
    if (depth == text.size()) return;
    const auto wanted = static_cast<std::uint8_t>(text[depth]);
    const auto byte_of = [depth](const Entry& entry) { return static_cast<std::uint8_t>(entry.text[depth]); };
    low = std::partition_point(low, high, [&](const Entry& entry) { return byte_of(entry) < wanted; });
    high = std::partition_point(low, high, [&](const Entry& entry) { return byte_of(entry) == wanted; });
  }
}

/// The lengths of the special tokens that occur in the text, longest first.
std::vector<std::size_t> SpecialTokens::lengths_present(std::string_view text, bool parse_special) const {
  std::bitset<longest_special + 1> present;
  for (std::size_t at = 0; at < text.size(); ++at) {
    visit_matches(text.substr(at), parse_special, [&](const Entry& entry) { present.set(entry.text.size()); });
  }
  std::vector<std::size_t> lengths;
  for (std::size_t length = longest_special; length > 0; --length) {
    if (present[length]) lengths.push_back(length);
  }
  return lengths;
}

void SpecialTokens::cut(const Fragment& fragment, std::size_t length, bool parse_special,
                        std::vector<Fragment>& out) const {
  const std::string_view text = fragment.text;
  std::size_t done = 0;
  for (std::size_t at = 0; at + length <= text.size();) {
    std::int32_t token = -1;
    visit_matches(text.substr(at, length), parse_special, [&](const Entry& entry) {
      if (entry.text.size() == length) token = entry.token(parse_special);
    });
    if (token < 0) {
      ++at;
      continue;
    }
    if (at > done) out.push_back({text.substr(done, at - done)});
    out.push_back({text.substr(at, length), token});
    at = done = at + length;
  }
  if (done < text.size()) out.push_back({text.substr(done)});
}

std::vector<Fragment> SpecialTokens::partition(std::string_view text, bool parse_special) const {
  std::vector<Fragment> fragments;
  if (!text.empty()) fragments.push_back({text});
  for (std::size_t length : lengths_present(text, parse_special)) {
    std::vector<Fragment> cut_fragments;
    for (const Fragment& fragment : fragments) {
      if (fragment.token >= 0) {
        cut_fragments.push_back(fragment);
      } else {
        cut(fragment, length, parse_special, cut_fragments);
      }
    }
    fragments = std::move(cut_fragments);
  }
  return fragments;
}

}  // namespace toy

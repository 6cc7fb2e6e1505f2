#include "toy/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <string>

#include "toy/tensor/error.h"

namespace toy {

namespace {

constexpr std::string_view white_space =
    R"(\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

/// The pattern with \s and \S written out as classes; \S does not occur inside brackets.
std::string write_out_white_space(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    if (c != '\\' || i + 1 == pattern.size()) {
      out += c;
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's') {
      out.append(in_class ? "" : "[").append(white_space).append(in_class ? "" : "]");
    } else if (escaped == 'S' && !in_class) {
      out.append("[^").append(white_space).append("]");
    } else {
      out.append({c, escaped});
    }
  }
  return out;
}

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

}  // namespace

struct Regex::Program {
  std::unique_ptr<pcre2_code, Free> code;
};

Regex::Regex(std::string_view pattern) {
  const std::string written_out = write_out_white_space(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto program = std::make_shared<Program>();
  program->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(written_out.data()), written_out.size(),
                                    PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &offset, nullptr));
  if (!program->code) fail("regular expression {}: error {} at character {}", written_out, error, offset);
  // Without JIT (a system that allows no executable memory) the same matches are found by interpretation.
  pcre2_jit_compile(program->code.get(), PCRE2_JIT_COMPLETE);
  program_ = std::move(program);
}

std::string Regex::engine_version() {
  const int size = pcre2_config(PCRE2_CONFIG_VERSION, nullptr);
  std::string version(static_cast<std::size_t>(std::max(size, 1)), '\0');
  pcre2_config(PCRE2_CONFIG_VERSION, version.data());
  return version.substr(0, version.find_first_of(std::string_view(" \0", 2)));
}

std::vector<std::string_view> Regex::split(const std::vector<std::string_view>& fragments) const {
  const pcre2_code* code = program_->code.get();
  const std::unique_ptr<pcre2_match_data, Free> match(pcre2_match_data_create(1, nullptr));
  const std::unique_ptr<pcre2_match_context, Free> context(pcre2_match_context_create(nullptr));
  if (!match || !context) throw std::bad_alloc();
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(match.get());

  std::vector<std::string_view> pieces;
  pieces.reserve(fragments.size());
  for (std::string_view fragment : fragments) {
    // The limits bound the work by the length; the built-in patterns stay far below.
    const std::size_t limit = 1'000'000 + 20 * fragment.size();
    pcre2_set_match_limit(context.get(), static_cast<std::uint32_t>(std::min<std::size_t>(limit, UINT32_MAX)));
    std::size_t done = 0;
    for (std::size_t at = 0; at < fragment.size();) {
      const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(fragment.data()), fragment.size(), at,
                                    PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match.get(), context.get());
      if (found < 0) break;
      if (span[0] > done) pieces.push_back(fragment.substr(done, span[0] - done));
      pieces.push_back(fragment.substr(span[0], span[1] - span[0]));
      at = done = span[1];
    }
    if (done < fragment.size()) pieces.push_back(fragment.substr(done));
  }
  return pieces;
}

}  // namespace toy

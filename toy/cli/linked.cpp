#include "toy/cli/linked.h"

#include <CLI/Version.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <gnu/libc-version.h>

#include "toy/cli/format.h"
#include "toy/text/regex.h"

namespace toy::cli {

std::string linked_libraries() {
  const std::string fmt_version =
      fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  const std::string json_version =
      fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
  const std::string compiler_library = fmt::format("GCC {}", _GLIBCXX_RELEASE);
  return table({{"library", "version", "linked", "source"},
                {"CLI11", CLI11_VERSION, "header only", "https://github.com/CLIUtils/CLI11"},
                {"nlohmann-json", json_version, "header only", "https://github.com/nlohmann/json"},
                {"fmt", fmt_version, "libfmt.so", "https://github.com/fmtlib/fmt"},
                {"PCRE2", Regex::engine_version(), "libpcre2-8.so", "https://github.com/PCRE2Project/pcre2"},
                {"libstdc++", compiler_library, "libstdc++.so", "https://gcc.gnu.org"},
                {"libgcc", compiler_library, "libgcc_s.so", "https://gcc.gnu.org"},
                {"glibc", gnu_get_libc_version(), "libc.so, libm.so", "https://sourceware.org/glibc"}},
               "llll");
}

}  // namespace toy::cli

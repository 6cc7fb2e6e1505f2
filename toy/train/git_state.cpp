#include "toy/train/git_state.h"

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string_view>

#include "toy/io/file.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

namespace fs = std::filesystem;

/// The text of a file; empty if it cannot be read.
std::string text_of(const fs::path& path, std::uint64_t most) {
  try {
    return read_small_file(path, most);
  } catch (const Error&) {
    return "";
  }
}

/// The first line of a file; empty if there is none.
std::string first_line(const fs::path& path) {
  constexpr std::uint64_t most = 4096;
  const std::string text = text_of(path, most);
  return text.substr(0, text.find_first_of("\r\n"));
}

/// What follows a beginning of the text; nothing if it begins otherwise.
std::optional<std::string> after(std::string_view beginning, const std::string& text) {
  if (!text.starts_with(beginning)) return std::nullopt;
  return text.substr(beginning.size());
}

bool is_hash(std::string_view text) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return (text.size() == 40 || text.size() == 64) && std::ranges::all_of(text, digit);
}

/// "HASH NAME" in packed-refs.
std::string packed(const fs::path& list, const std::string& name) {
  constexpr std::uint64_t most = 1 << 26;
  std::istringstream lines(text_of(list, most));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(' ' + name)) return line.substr(0, line.find(' '));
  }
  return "";
}

/// The folder with HEAD: .git, or what a file .git names (of a worktree or submodule).
fs::path head_folder(const fs::path& git) {
  const auto named = after("gitdir: ", first_line(git));
  return named ? git.parent_path() / *named : git;
}

}  // namespace

std::optional<GitState> git_state(const fs::path& folder) {
  std::error_code unknown;
  fs::path at = fs::absolute(folder, unknown).lexically_normal();
  while (!fs::exists(at / ".git", unknown)) {
    if (at == at.parent_path()) return std::nullopt;
    at = at.parent_path();
  }
  const fs::path own = head_folder(at / ".git");
  const std::string head = first_line(own / "HEAD"), common = first_line(own / "commondir");
  const auto name = after("ref: ", head);
  if (!name) return is_hash(head) ? std::optional(GitState{head, ""}) : std::nullopt;
  const fs::path refs = common.empty() ? own : own / common;
  GitState state{first_line(refs / *name), after("refs/heads/", *name).value_or(*name)};
  if (state.sha.empty()) state.sha = packed(refs / "packed-refs", *name);
  return is_hash(state.sha) ? std::optional(state) : std::nullopt;
}

}  // namespace toy

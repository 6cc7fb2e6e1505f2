// Which state of a repository a program runs in.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace toy {

struct GitState {
  std::string sha;     // 40 or 64 hexadecimal digits
  std::string branch;  // empty: HEAD is detached
};

/// Of the repository that `folder` lies in, read from its files. Empty: there is none, it has no commit yet, or it
/// cannot be read.
std::optional<GitState> git_state(const std::filesystem::path& folder);

}  // namespace toy

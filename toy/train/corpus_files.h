// The files that a pattern names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace toy {

struct NamedFiles {
  std::vector<std::filesystem::path> paths;
  /// What wildcards came across and could not be looked at, one line each: a loop of links, a folder that is closed.
  std::vector<std::string> left_out;
};

/// The files that `pattern` names: a path that exists, as it is; else the shell's wildcards * ? [a-z] {a,b} ~ and, as a
/// whole part, ** for any folders, also none. Wildcards leave out hidden names, ** also what is behind links to
/// folders. In the order of their paths. Errors: it is a folder; no file has such a name, or none that can be looked at
/// (says why).
NamedFiles files_named(const std::string& pattern);

}  // namespace toy

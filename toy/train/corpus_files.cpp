#include "toy/train/corpus_files.h"

#include <algorithm>
#include <fnmatch.h>
#include <glob.h>
#include <span>
#include <system_error>

#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

namespace fs = std::filesystem;

/// The comma or the closing brace that ends the part of a brace which begins at `at`; npos: the brace stays open.
std::size_t end_of_choice(std::string_view pattern, std::size_t at) {
  for (int depth = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\') {
      ++at;
    } else if (depth == 0 && (c == ',' || c == '}')) {
      return at;
    } else {
      depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    }
  }
  return std::string_view::npos;
}

/// "a{b,c}" -> "ab", "ac"
void add_choices(const std::string& pattern, std::size_t from, std::vector<std::string>& all) {
  constexpr std::size_t most = 10'000;
  const std::size_t open = pattern.find('{', from);
  if (open == std::string::npos) {
    if (all.size() == most) refuse("corpus: {} stands for more than {} patterns", in_quotes(pattern), most);
    all.push_back(pattern);
    return;
  }
  std::vector<std::string> choices;
  std::size_t begin = open + 1, end = 0;
  do {
    end = end_of_choice(pattern, begin);
    if (end == std::string::npos) break;
    choices.push_back(pattern.substr(begin, end - begin));
    begin = end + 1;
  } while (pattern[end] == ',');
  const bool escaped = open > 0 && pattern[open - 1] == '\\';
  if (escaped || end == std::string::npos || (choices.size() == 1 && choices.front().empty())) {
    return add_choices(pattern, open + 1, all);
  }
  for (const std::string& choice : choices) {
    add_choices(pattern.substr(0, open) + choice + pattern.substr(begin), open, all);
  }
}

std::vector<std::string> choices_of(const std::string& pattern) {
  constexpr std::ptrdiff_t most = 100;
  if (std::ranges::count(pattern, '{') > most) refuse("corpus: {} has more than {} braces", in_quotes(pattern), most);
  std::vector<std::string> all;
  add_choices(pattern, 0, all);
  return all;
}

std::vector<std::string> parts_of(std::string_view pattern) {
  std::vector<std::string> parts;
  while (!pattern.empty()) {
    const std::string_view part = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(std::min(part.size() + 1, pattern.size()));
    const bool again = part == "**" && !parts.empty() && parts.back() == part;
    if (!part.empty() && !again) parts.emplace_back(part);
  }
  if (!parts.empty() && parts.back() == "**") parts.emplace_back("*");
  return parts;
}

bool has_wildcard(std::string_view part) { return part.find_first_of("*?[") != std::string_view::npos; }

std::string without_escapes(std::string_view part) {
  std::string text;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '\\' && i + 1 < part.size()) ++i;
    text += part[i];
  }
  return text;
}

std::string below(const std::string& folder, const std::string& name) {
  return folder.empty() || folder.ends_with('/') ? folder + name : folder + "/" + name;
}

/// "~" or "~user" as the shell reads it.
std::string home_of(const std::string& part) {
  glob_t found{};
  const bool good = ::glob(part.c_str(), GLOB_TILDE | GLOB_NOCHECK, nullptr, &found) == 0 && found.gl_pathc == 1;
  std::string home = good ? found.gl_pathv[0] : part;
  ::globfree(&found);
  return home;
}

bool is_missing(const std::error_code& error) {
  return error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
}

class Search {
 public:
  void add(const std::string& pattern) {
    std::vector<std::string> parts = parts_of(pattern);
    std::string at = pattern.starts_with('/') ? "/" : "";
    std::span<const std::string> rest = parts;
    if (pattern.starts_with('~')) {
      at = home_of(parts.front());
      rest = rest.subspan(1);
    }
    const auto before = static_cast<std::ptrdiff_t>(paths.size());
    walk(std::move(at), rest);
    std::sort(paths.begin() + before, paths.end());
  }

  std::vector<std::string> paths, problems;
  bool folders = false;

 private:
  void walk(std::string at, std::span<const std::string> parts) {
    for (; !parts.empty() && !has_wildcard(parts.front()); parts = parts.subspan(1)) {
      at = below(at, without_escapes(parts.front()));
    }
    if (parts.empty()) return take(at);
    const std::string& part = parts.front();
    const auto rest = parts.subspan(1);
    const bool any_folders = part == "**";
    if (any_folders) walk(at, rest);
    for (const std::string& name : names_in(at)) {
      const std::string path = below(at, name);
      if (any_folders) {
        std::error_code ignored;
        if (!name.starts_with('.') && fs::is_directory(fs::symlink_status(path, ignored))) walk(path, parts);
      } else if (::fnmatch(part.c_str(), name.c_str(), FNM_PERIOD) == 0) {
        if (rest.empty()) {
          take(path);
        } else if (fs::is_directory(status(path))) {
          walk(path, rest);
        }
      }
    }
  }

  void take(const std::string& path) {
    const fs::file_status found = status(path);
    folders = folders || fs::is_directory(found);
    if (fs::exists(found) && !fs::is_directory(found)) paths.push_back(path);
  }

  fs::file_status status(const std::string& path) {
    std::error_code error, ignored;
    const fs::file_status found = fs::status(path, error);
    const bool dangling = is_missing(error) && fs::is_symlink(fs::symlink_status(path, ignored));
    if (error && (!is_missing(error) || dangling)) add_problem(path, error);
    return found;
  }

  std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(folder.empty() ? "." : folder, error), end; !error && at != end;
         at.increment(error)) {
      names.push_back(at->path().filename().string());
    }
    if (error && !is_missing(error)) add_problem(folder.empty() ? "." : folder, error);
    std::ranges::sort(names);
    return names;
  }

  void add_problem(const std::string& path, const std::error_code& error) {
    std::string problem = fmt::format("{}: {}", shown(path), error.message());
    if (std::ranges::find(problems, problem) == problems.end()) problems.push_back(std::move(problem));
  }
};

/// "dir/*" for "dir" and "dir/".
std::string files_in(const std::string& folder) { return shown(folder) + (folder.ends_with('/') ? "*" : "/*"); }

}  // namespace

NamedFiles files_named(const std::string& pattern) {
  std::error_code error;
  const fs::file_status literal = fs::status(pattern, error);
  if (fs::is_directory(literal)) {
    refuse("corpus: '{}' is a folder; for its files give '{}'", shown(pattern), files_in(pattern));
  }
  if (fs::exists(literal)) return {{pattern}, {}};
  const bool plain = pattern.find_first_of("*?[{~\\") == std::string::npos;
  if (plain && error && !is_missing(error)) fail("corpus: {}: {}", shown(pattern), error.message());

  Search search;
  for (const std::string& choice : choices_of(pattern)) search.add(choice);
  if (search.paths.empty()) {
    if (!search.problems.empty()) {
      fail("corpus: {} matches no file that can be read: {}", in_quotes(pattern), search.problems.front());
    }
    if (search.folders) {
      refuse("corpus: {} matches only folders; for their files give '{}'", in_quotes(pattern), files_in(pattern));
    }
    refuse("corpus: {} matches no file", in_quotes(pattern));
  }
  return {{search.paths.begin(), search.paths.end()}, std::move(search.problems)};
}

}  // namespace toy

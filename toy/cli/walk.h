// Walking through folders that other tools fill.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace toy::cli {

struct WalkedFile {
  std::filesystem::path path;
  std::string problem;             // why it cannot be read; empty if it can
  std::filesystem::path target{};  // of a link out of the root that was followed; empty: there was none
};

/// What happens to links. Links::inside: a link to a file counts only if the file lies below the folder that walk() is
/// told, and a link to a folder is not entered. Links::one_level, for folders in which people put links on purpose: a
/// link to a file counts wherever it leads, and a link to a folder is entered, but no further link to a folder in
/// there; a folder that is searched anyway, or that holds the root, is not entered again.
enum class Links : std::uint8_t { inside, one_level };

/// Every file below `root` in the order of names, at most 6 folders deep. With Links::inside a link must stay below
/// `inside` (`root` by default). A root that is missing has no files.
void walk(const std::filesystem::path& root, const std::function<void(const WalkedFile&)>& visit,
          const std::filesystem::path& inside = {}, Links links = Links::inside);

/// Names of the entries of a folder, sorted; none if it cannot be read, which `problem` then says.
std::vector<std::string> entries_of(const std::filesystem::path& folder, std::string* problem = nullptr);

/// True if `path`, links resolved, lies below `root`, links resolved.
bool is_inside(const std::filesystem::path& path, const std::filesystem::path& root);

/// Why a file with this name is no model of its own, for files that look like one: unfinished, or a companion.
std::string reason_to_skip(std::string_view name);
/// True for `name-00002-of-00003.gguf`, false for the first shard.
bool is_later_shard(std::string_view name);
/// "name-00001-of-00003.gguf" of any shard.
std::string first_shard(std::string_view name);
/// The name without "-00001-of-00003" and ".gguf".
std::string without_shard(std::string_view name);

}  // namespace toy::cli

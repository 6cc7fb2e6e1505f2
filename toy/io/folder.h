// Folders that are held open, and files in them that no link can lead astray.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <sys/types.h>
#include <vector>

namespace toy {

class Place;

/// A folder that is held open: it stays the same when it is renamed, and what is below it is reached without following
/// any link. Use it for folders that others may have filled. Copies share it.
class Folder {
 public:
  /// Links in the path itself are followed: they are the caller's word. Errors: it is missing or no folder.
  template <class Path>
  requires(std::convertible_to<Path, std::filesystem::path>)
      Folder(const Path& path)  // NOLINT(google-explicit-constructor): a path is enough where a folder is expected
      : Folder(std::filesystem::path(path), Open{}) {}

  /// For messages.
  const std::filesystem::path& path() const { return path_; }
  int descriptor() const { return *descriptor_; }

  /// A file below it. Errors: the name is absolute or holds "..".
  Place operator/(const std::filesystem::path& name) const;
  /// A folder below it. Errors: it is missing, no folder, or a link is on the way.
  Folder below(const std::filesystem::path& name) const;
  /// The same, made first, with those above it, if it is missing.
  Folder made(const std::filesystem::path& name) const;
  /// Names in the folder, sorted. Errors: it cannot be read.
  std::vector<std::string> names() const;
  /// What has this name, a link itself and not what it leads to; nothing if nothing has it.
  std::optional<struct stat> status(const std::filesystem::path& name) const;
  bool has(const std::filesystem::path& name) const { return status(name).has_value(); }
  /// Removes the name of a file, or gives it another in the same folder. False: it could not be.
  bool remove(const std::string& name) const;
  bool rename(const std::string& name, const std::string& to) const;

 private:
  struct Open {};
  Folder(std::filesystem::path path, Open /*by its path*/);
  Folder(int descriptor, std::filesystem::path path);

  std::filesystem::path path_;
  std::shared_ptr<const int> descriptor_;
};

/// Where a file is: a path, or a name below a folder that is held open.
class Place {
 public:
  template <class Path>
  requires(std::convertible_to<Path, std::filesystem::path>) Place(const Path& path)
      : path_(path) {}  // NOLINT(google-explicit-constructor): most places are paths
  Place(const Folder& folder, std::filesystem::path name);

  /// For messages.
  const std::filesystem::path& path() const { return path_; }
  /// As open(2); O_CLOEXEC is added. Below a folder a link is not followed: ELOOP.
  int open(int flags, mode_t mode = 0) const;
  /// The folder with the file, and the file's name in it. Errors: the folder is missing, or behind a link.
  Folder folder() const;
  std::string name() const { return path_.filename().string(); }
  /// Whether it lies below a folder that is held open.
  bool is_below() const { return below_.has_value(); }

 private:
  std::filesystem::path path_, name_;
  std::optional<Folder> below_;
};

/// What errno says of a place that could not be opened.
std::string reason_of(int error);

}  // namespace toy

#include "toy/io/folder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

namespace fs = std::filesystem;

constexpr int as_folder = O_PATH | O_DIRECTORY | O_CLOEXEC;

/// Closes what it points to.
std::shared_ptr<const int> owned(int descriptor) {
  return {new int(descriptor), [](const int* held) {
            ::close(*held);
            delete held;  // NOLINT(cppcoreguidelines-owning-memory): what new made above
          }};
}

/// Opens a name of one part; ELOOP for every link, also where a folder was asked for.
int open_part(int folder, const fs::path& part, int flags, mode_t mode) {
  const int opened = ::openat(folder, part.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode);
  if (opened >= 0 || errno != ENOTDIR) return opened;
  struct stat status {};
  const bool link = ::fstatat(folder, part.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
  errno = link ? ELOOP : ENOTDIR;
  return -1;
}

/// Opens a name below a folder, part by part.
int open_below(int folder, const fs::path& name, int flags, mode_t mode) {
  int at = folder;
  const auto leave = [&](int result) {
    const int reason = errno;
    if (at != folder) ::close(at);
    errno = reason;
    return result;
  };
  for (auto part = name.begin(); part != name.end();) {
    const fs::path here = *part++;
    if (part == name.end()) return leave(open_part(at, here, flags, mode));
    const int next = open_part(at, here, as_folder, 0);
    (void)leave(0);
    if (next < 0) return -1;
    at = next;
  }
  return leave(open_part(at, ".", flags, mode));
}

void require_below(const fs::path& folder, const fs::path& name) {
  const bool below = name.is_relative() && std::ranges::find(name, fs::path("..")) == name.end();
  if (!below) fail("{}: {} is outside of it", shown(folder), in_quotes(name.string()));
}

}  // namespace

std::string reason_of(int error) {
  if (error == ELOOP) return "is a link or behind one, and in a run's folder links are not followed";
  return std::strerror(error);
}

Folder::Folder(int descriptor, fs::path path) : path_(std::move(path)) {
  if (descriptor < 0) fail("{}: {}", shown(path_), reason_of(errno));
  descriptor_ = owned(descriptor);
}

Folder::Folder(fs::path path, Open /*by its path*/)
    : Folder(::open(path.empty() ? "." : path.c_str(), as_folder), path) {}

Place Folder::operator/(const fs::path& name) const { return {*this, name}; }

Folder Folder::below(const fs::path& name) const {
  require_below(path_, name);
  return {open_below(descriptor(), name, as_folder, 0), path_ / name};
}

Folder Folder::made(const fs::path& name) const {
  require_below(path_, name);
  const Folder above = name.has_parent_path() ? made(name.parent_path()) : *this;
  if (::mkdirat(above.descriptor(), name.filename().c_str(), 0777) != 0 && errno != EEXIST) {
    fail("{}: cannot make the folder: {}", shown(path_ / name), std::strerror(errno));
  }
  const int opened = open_below(above.descriptor(), name.filename(), as_folder, 0);
  if (opened < 0) fail("{}: cannot make the folder: {}", shown(path_ / name), reason_of(errno));
  return {opened, path_ / name};
}

std::vector<std::string> Folder::names() const {
  const int again = ::openat(descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const listed = again < 0 ? nullptr : ::fdopendir(again);
  if (listed == nullptr) {
    const int reason = errno;
    if (again >= 0) ::close(again);
    fail("{}: {}", shown(path_), std::strerror(reason));
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> closing(listed, ::closedir);
  std::vector<std::string> all;
  while (const dirent* entry = ::readdir(listed)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") all.emplace_back(name);
  }
  std::ranges::sort(all);
  return all;
}

std::optional<struct stat> Folder::status(const fs::path& name) const {
  require_below(path_, name);
  const int opened = open_below(descriptor(), name, O_PATH, 0);
  if (opened < 0) return std::nullopt;
  struct stat found {};
  const bool known = ::fstat(opened, &found) == 0;
  ::close(opened);
  return known ? std::optional(found) : std::nullopt;
}

bool Folder::remove(const std::string& name) const {
  require_below(path_, name);
  return ::unlinkat(descriptor(), name.c_str(), 0) == 0;
}

bool Folder::rename(const std::string& name, const std::string& to) const {
  require_below(path_, name);
  require_below(path_, to);
  return ::renameat(descriptor(), name.c_str(), descriptor(), to.c_str()) == 0;
}

Place::Place(const Folder& folder, fs::path name)
    : path_(folder.path() / name), name_(std::move(name)), below_(folder) {
  require_below(folder.path(), name_);
}

int Place::open(int flags, mode_t mode) const {
  if (below_) return open_below(below_->descriptor(), name_, flags, mode);
  return ::open(path_.c_str(), flags | O_CLOEXEC, mode);
}

Folder Place::folder() const {
  if (below_) return name_.has_parent_path() ? below_->below(name_.parent_path()) : *below_;
  return path_.has_parent_path() ? path_.parent_path() : fs::path(".");
}

}  // namespace toy

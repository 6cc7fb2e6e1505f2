#include "toy/io/file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

[[noreturn]] void fail_with_errno(const char* what, const std::filesystem::path& path) {
  const int reason = errno;
  fail("{}: {}: {}", shown(path), what, std::strerror(reason));
}

/// Owns a descriptor between its opening and its hand-over.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

}  // namespace

InputFile::InputFile(const Place& place, Empty empty) : path_(place.path()) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  Descriptor descriptor(place.open(O_RDONLY | O_NONBLOCK));
  if (descriptor.get() < 0) {
    if (errno == ENOENT) fail("{}: no such file", shown(path_));
    fail("{}: cannot open: {}", shown(path_), place.is_below() ? reason_of(errno) : std::strerror(errno));
  }
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) fail_with_errno("cannot read its size", path_);
  if (S_ISDIR(status.st_mode)) fail("{}: is a directory, expected a file", shown(path_));
  if (!S_ISREG(status.st_mode)) fail("{}: is not a regular file", shown(path_));
  if (status.st_size == 0 && empty == Empty::refused) fail("{}: is empty", shown(path_));
  size_ = static_cast<std::uint64_t>(status.st_size);
  descriptor_ = descriptor.release();
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t n = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_with_errno("cannot read", path_);
    if (n == 0)
      fail("{}: ends at byte {}, expected {} more: it became shorter while it was read", shown(path_), offset,
           out.size());
    offset += static_cast<std::uint64_t>(n);
    out = out.subspan(static_cast<std::size_t>(n));
  }
}

MappedFile::MappedFile(const InputFile& file) {
  void* start = ::mmap(nullptr, file.size(), PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (start == MAP_FAILED) fail_with_errno("cannot map into memory", file.path());
  bytes_ = {static_cast<const std::byte*>(start), file.size()};
}

MappedFile::~MappedFile() { ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

void MappedFile::drop(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset > bytes_.size() || bytes > bytes_.size() - offset) return;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t first = (offset + page - 1) / page * page;
  const std::uint64_t last = (offset + bytes) / page * page;
  if (first >= last) return;
  ::madvise(const_cast<std::byte*>(bytes_.data()) + first, last - first, MADV_DONTNEED);
}

bool is_taken(const std::filesystem::path& path) {
  std::error_code unknown;
  return std::filesystem::exists(std::filesystem::symlink_status(path, unknown));
}

std::shared_ptr<const MappedFile> map_file(const Place& place) {
  return std::make_shared<const MappedFile>(InputFile(place));
}

std::string read_small_file(const Place& place, std::uint64_t most) {
  const InputFile file(place, Empty::allowed);
  if (file.size() > most) fail("{}: expected at most {} bytes, found {}", shown(file.path()), most, file.size());
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

namespace {

/// The temporary file of write_atomically: removed when it goes out of scope, unless it was renamed.
class TemporaryFile {
 public:
  TemporaryFile(Folder folder, const Place& target)
      : folder_(std::move(folder)),
        target_(target),
        name_(fmt::format(".toy-{:08x}{:08x}.tmp", std::random_device{}(), std::random_device{}())),
        descriptor_((folder_ / name_).open(O_WRONLY | O_CREAT | O_EXCL, 0666)) {
    if (descriptor_.get() < 0) fail_with_errno("cannot write in its folder", target.path());
    struct stat old {};
    if (!stat_target(target, folder_, old)) return;
    if (S_ISREG(old.st_mode)) ::fchmod(descriptor_.get(), old.st_mode & 07777);
  }
  ~TemporaryFile() {
    if (!name_.empty()) (void)folder_.remove(name_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  int descriptor() const { return descriptor_.get(); }

  void rename_to_target(const FileCalls& calls) {
    if (calls.fsync(descriptor_.get()) != 0) fail_with_errno("cannot sync to disk", target_.path());
    // Some file systems report a failed write only here.
    if (::close(descriptor_.release()) != 0) fail_with_errno("cannot write", target_.path());
    const int folder = folder_.descriptor();
    if (calls.rename(folder, name_.c_str(), folder, target_.name().c_str()) != 0) {
      fail_with_errno("cannot rename the finished file", target_.path());
    }
    name_.clear();
  }

  /// A link is followed only where the target is a path of the caller's. False: nothing is there.
  static bool stat_target(const Place& target, const Folder& folder, struct stat& found) {
    const int flags = target.is_below() ? AT_SYMLINK_NOFOLLOW : 0;
    return ::fstatat(folder.descriptor(), target.name().c_str(), &found, flags) == 0;
  }

 private:
  Folder folder_;
  Place target_;
  std::string name_;
  Descriptor descriptor_;
};

/// The folder of a file that is to be written.
Folder folder_to_write(const Place& place) {
  try {
    return place.folder();
  } catch (const Error& error) {
    fail("{}: cannot write in its folder: {}", shown(place.path()), error.what());
  }
}

}  // namespace

void write_atomically(const Place& place, const std::function<void(ByteSink&)>& write, const FileCalls& calls) {
  const Folder folder = folder_to_write(place);
  struct stat old {};
  if (TemporaryFile::stat_target(place, folder, old) && S_ISDIR(old.st_mode)) {
    fail("{}: is a directory, expected a file name", shown(place.path()));
  }
  TemporaryFile temporary(folder, place);
  ByteSink sink(temporary.descriptor(), place.path(), calls);
  write(sink);
  sink.flush();
  temporary.rename_to_target(calls);
  sync_folder(folder, place.path(), calls);
}

void write_atomically(const Place& place, std::string_view text, const FileCalls& calls) {
  write_atomically(
      place, [&](ByteSink& sink) { sink.text(text); }, calls);
}

bool is_temporary(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  constexpr std::string_view begin = ".toy-", end = ".tmp";
  constexpr std::size_t digits = 16;
  return name.size() == begin.size() + digits + end.size() && name.starts_with(begin) && name.ends_with(end) &&
         name.find_first_not_of("0123456789abcdef", begin.size()) == begin.size() + digits;
}

}  // namespace toy

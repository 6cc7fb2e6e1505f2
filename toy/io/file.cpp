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

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  Descriptor descriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) {
    if (errno == ENOENT) fail("{}: no such file", shown(path_));
    fail_with_errno("cannot open", path_);
  }
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) fail_with_errno("cannot read its size", path_);
  if (S_ISDIR(status.st_mode)) fail("{}: is a directory, expected a file", shown(path_));
  if (!S_ISREG(status.st_mode)) fail("{}: is not a regular file", shown(path_));
  if (status.st_size == 0) fail("{}: is empty", shown(path_));
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

std::shared_ptr<const MappedFile> map_file(const std::filesystem::path& path) {
  return std::make_shared<const MappedFile>(InputFile(path));
}

namespace {

/// The temporary file of write_atomically: removed when it goes out of scope, unless it was renamed.
class TemporaryFile {
 public:
  TemporaryFile(const std::filesystem::path& folder, const std::filesystem::path& target)
      : path_(folder / fmt::format(".toy-{:08x}{:08x}.tmp", std::random_device{}(), std::random_device{}())),
        descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (descriptor_.get() < 0) fail_with_errno("cannot write in its folder", target);
    struct stat old {};
    if (::stat(target.c_str(), &old) == 0) ::fchmod(descriptor_.get(), old.st_mode & 07777);
  }
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  int descriptor() const { return descriptor_.get(); }

  void rename_to(const std::filesystem::path& target, const FileCalls& calls) {
    if (calls.fsync(descriptor_.get()) != 0) fail_with_errno("cannot sync to disk", target);
    // Some file systems report a failed write only here.
    if (::close(descriptor_.release()) != 0) fail_with_errno("cannot write", target);
    if (calls.rename(path_.c_str(), target.c_str()) != 0) fail_with_errno("cannot rename the finished file", target);
    path_.clear();
  }

 private:
  std::filesystem::path path_;
  Descriptor descriptor_;
};

}  // namespace

void write_atomically(const std::filesystem::path& path, const std::function<void(ByteSink&)>& write,
                      const FileCalls& calls) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail("{}: is a directory, expected a file name", shown(path));
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  TemporaryFile temporary(folder, path);
  ByteSink sink(temporary.descriptor(), path, calls);
  write(sink);
  sink.flush();
  temporary.rename_to(path, calls);
  sync_folder_of(path, calls);
}

void write_atomically(const std::filesystem::path& path, std::string_view text, const FileCalls& calls) {
  write_atomically(
      path, [&](ByteSink& sink) { sink.text(text); }, calls);
}

bool is_temporary(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with(".toy-") && name.ends_with(".tmp");
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) fail("{}: cannot make the folder: {}", shown(path), error.message());
}

}  // namespace toy

// Files on disk: checked reading, read-only memory maps, and writing that happens whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "toy/io/byte_sink.h"
#include "toy/io/file_calls.h"
#include "toy/io/folder.h"

namespace toy {

enum class Empty : bool { refused, allowed };

/// An open regular file. Its size is taken once, when it is opened.
class InputFile {
 public:
  /// Fails with one line when the path is missing, a directory, not a regular file, not readable or empty; below a
  /// folder that is held open also when a link is on the way.
  explicit InputFile(const Place& place, Empty empty = Empty::refused);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  int descriptor() const { return descriptor_; }
  /// Fills `out` from `offset`; fails when the file ends first.
  void read_at(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// The bytes of a whole file, mapped read-only. A file that shrinks while it is mapped raises SIGBUS on access.
class MappedFile {
 public:
  explicit MappedFile(const InputFile& file);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  /// Gives back the memory of the whole pages inside [offset, offset + bytes); they are read again when touched.
  void drop(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  std::span<const std::byte> bytes_;
};

/// Opens and maps a file; errors as InputFile.
std::shared_ptr<const MappedFile> map_file(const Place& place);

/// The text of a file that has at most `most` bytes, as references, manifests and configurations do; may be empty.
/// Never waits, as it would for a pipe or a device. Errors: as InputFile; it is larger.
std::string read_small_file(const Place& place, std::uint64_t most);

/// Writes a file whole: `write` fills a temporary file in the same folder, which is synced and renamed to `place`.
/// After an error, also one thrown by `write`, the temporary is gone and the old file untouched; only when the folder
/// cannot be synced after the rename is the new file there, but may be lost in a crash.
void write_atomically(const Place& place, const std::function<void(ByteSink&)>& write, const FileCalls& calls = {});
/// The same with these bytes.
void write_atomically(const Place& place, std::string_view text, const FileCalls& calls = {});
/// True for the names of its temporary files, which a crash may leave.
bool is_temporary(const std::filesystem::path& path);

/// Whether the name is taken, also by a link that leads nowhere or in a circle.
bool is_taken(const std::filesystem::path& path);

}  // namespace toy

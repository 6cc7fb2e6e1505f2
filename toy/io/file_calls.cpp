#include "toy/io/file_calls.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>

#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

std::size_t write_all(const FileCalls& calls, int descriptor, std::span<const std::byte> bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto rest = bytes.subspan(written);
    const ssize_t n = calls.write(descriptor, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;  // a device that takes nothing would be asked forever
    if (n <= 0) break;
    written += static_cast<std::size_t>(n);
  }
  return written;
}

void sync_folder(const Folder& folder, const std::filesystem::path& path, const FileCalls& calls) {
  const int descriptor = ::openat(folder.descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // EINVAL: the file system cannot sync folders.
  const bool synced = descriptor >= 0 && (calls.fsync(descriptor) == 0 || errno == EINVAL);
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) fail("{}: cannot sync its folder: {}", shown(path), std::strerror(reason));
}

}  // namespace toy

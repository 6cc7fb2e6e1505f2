// The calls of the operating system that writing rests on, so that a test can make each of them fail in turn.
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <span>
#include <sys/types.h>
#include <unistd.h>

#include "toy/io/folder.h"

namespace toy {

/// Arguments and results as those of the system's own calls, errno included.
struct FileCalls {
  std::function<ssize_t(int, const void*, std::size_t)> write = ::write;
  std::function<int(int)> fsync = ::fsync;
  std::function<int(int, off_t)> ftruncate = ::ftruncate;
  std::function<int(int, const char*, int, const char*)> rename = ::renameat;
};

/// Writes all of `bytes`, in several calls if one takes only a part or is interrupted by a signal. Returns how many
/// were written; fewer than all mean an error, and errno says which.
std::size_t write_all(const FileCalls& calls, int descriptor, std::span<const std::byte> bytes);

/// Makes the names in a folder survive a crash: what was created or renamed there. Errors name `path`, a file in it.
void sync_folder(const Folder& folder, const std::filesystem::path& path, const FileCalls& calls = {});

}  // namespace toy

// A new run that begins where another one was.
#pragma once

#include <cstdint>
#include <filesystem>

#include "toy/io/file_calls.h"

namespace toy {

/// Makes a run of the empty `folder` from a checkpoint of the run `origin`, which stays as it is and may be trained
/// meanwhile: copies the checkpoint, the corpus, the configuration and the log until there, which then names its
/// origin. The sidecar is written last; Run::resume(folder) goes on. Errors: the checkpoint is not complete, the disk.
void branch_run(const Folder& origin, std::int64_t step, const Folder& folder, const FileCalls& calls = {});

}  // namespace toy

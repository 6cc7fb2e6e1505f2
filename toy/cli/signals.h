// What the program does when a signal comes. Only the program: the library installs no handlers.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

#include "toy/io/gguf.h"

namespace toy::cli {

/// A closed stdout and a file beyond the limit of its size become errors of write() instead of signals.
void leave_failures_to_write();

/// Streams 0 to 2 that are closed get /dev/null, so that no file of the program takes their place.
void open_standard_streams();

/// A file of the model (a shard) that shrinks while it is mapped ends the program with one line that names it, and exit
/// code 1.
void guard_mapped_files(const GgufFile& model);

/// While it lives, the first Ctrl-C (or SIGTERM, or SIGHUP of a closed terminal) asks for a stop and the second ends
/// the program at once. Signals within half a second count as one: `timeout` and some shells send two. Once it
/// is gone the work is done: a first signal then, or one within half a second of the first, is ignored. Make
/// it before threads are started: they inherit which signals are left to it. Errors: no thread can be started.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::atomic<bool> done_ = false;
  std::thread watcher_;
};

}  // namespace toy::cli

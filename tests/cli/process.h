// The program as a real process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace toy::testing {

struct Finished {
  int code = -1;   // exit code; -1 when a signal ended it
  int signal = 0;  // that signal
  std::string out, err;
  std::int64_t peak_bytes = 0;  // resident memory; not below what the tests themselves take
};

struct Start {
  std::string input{};                                             // of standard input
  std::vector<std::pair<std::string, std::string>> environment{};  // beside PATH and HOME=/nonexistent
  std::string folder{};                                            // to run in
  bool closed_stdout = false;
  std::uint64_t stack_bytes = 0;  // limit of a thread's stack; 0: as it is
};

/// A running program, killed if the test ends first.
class Process {
 public:
  Process(const std::vector<std::string>& words, const Start& start = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) const;
  /// Waits until something is on stdout; false if it ended instead.
  bool wait_for_output();
  /// Waits until this is on stderr; false if it ended without.
  bool wait_until_err(std::string_view text);
  /// Waits until the program keeps SIGINT from ending it.
  bool wait_until_guarded() const;
  /// A line of /proc/PID/status, for example "VmHWM".
  std::string status(std::string_view key) const;
  /// Closes the reading end of its stdout.
  void stop_reading();
  /// Leaves nothing more to read on standard input.
  void end_input();
  /// Waits for the end and returns everything.
  Finished finish();

 private:
  bool read_some();

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  Finished result_;
};

/// Runs build/toy with these words.
Finished toy(const std::vector<std::string>& words, const Start& start = {});

/// A training in `folder` that --div-crit ends: what validates is not what was trained on.
Finished diverging_training(const std::string& folder, const std::vector<std::string>& more = {});

/// Number of lines, each with its end.
int lines(std::string_view text);

}  // namespace toy::testing

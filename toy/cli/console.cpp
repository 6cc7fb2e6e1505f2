#include "toy/cli/console.h"

#include <cerrno>
#include <cstring>
#include <unistd.h>

#include "toy/tensor/error.h"

namespace toy::cli {

namespace {

/// 0, or why it was not written whole.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(descriptor, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

/// Longer than anything of ours; a file may hold texts of a MiB.
constexpr std::size_t most_line_bytes = 4000;

}  // namespace

void Console::print(std::string_view text) {
  constexpr std::size_t enough = 1 << 16;
  waiting_ += text;
  if (waiting_.size() >= enough) flush();
}

void Console::flush() {
  std::string text = std::exchange(waiting_, {});
  if (::isatty(STDOUT_FILENO) == 1) text = terminal_text(text);
  const int reason = write_all(STDOUT_FILENO, text);
  if (reason == EPIPE || reason == EBADF) throw ClosedOutput{};
  if (reason != 0) fail("the answer cannot be written to stdout: {}", std::strerror(reason));
}

void Console::note(std::string_view text) const {
  if (!quiet_) (void)write_all(STDERR_FILENO, one_line(cut_text(text, most_line_bytes)) + "\n");
}

void Console::error(std::string_view text) {
  (void)write_all(STDERR_FILENO, fmt::format("toy: {}\n", one_line(cut_text(text, most_line_bytes))));
}

}  // namespace toy::cli

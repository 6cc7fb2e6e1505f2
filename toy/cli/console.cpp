#include "toy/cli/console.h"

#include <cerrno>
#include <cstring>
#include <unistd.h>

#include "toy/tensor/error.h"
#include "toy/text/bytes.h"

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

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const Utf8Head head = utf8_head(text);
    const bool valid = head.kind == Utf8Head::valid;
    const auto byte = static_cast<unsigned char>(text.front());
    if (!valid || byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += text.substr(0, head.length);
    }
    text.remove_prefix(valid ? head.length : 1);
  }
  return line;
}

void Console::print(std::string_view text) {
  constexpr std::size_t enough = 1 << 16;
  waiting_ += text;
  if (waiting_.size() >= enough) flush();
}

void Console::flush() {
  const std::string text = std::exchange(waiting_, {});
  const int reason = write_all(STDOUT_FILENO, text);
  if (reason == EPIPE || reason == EBADF) throw ClosedOutput{};
  if (reason != 0) fail("the answer cannot be written to stdout: {}", std::strerror(reason));
}

void Console::note(std::string_view text) const {
  if (!quiet_) (void)write_all(STDERR_FILENO, one_line(text) + "\n");
}

void Console::error(std::string_view text) { (void)write_all(STDERR_FILENO, fmt::format("toy: {}\n", one_line(text))); }

}  // namespace toy::cli

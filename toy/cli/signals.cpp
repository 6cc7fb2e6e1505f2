#include "toy/cli/signals.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <pthread.h>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "toy/cli/console.h"
#include "toy/tensor/error.h"

namespace toy::cli {

namespace {

/// A mapped file, and what is said when its bytes are gone.
struct Guarded {
  std::span<const std::byte> bytes;
  std::string message;
};

/// Written before the handler is installed, only read by it.
std::vector<Guarded>& guarded_files() {
  static std::vector<Guarded> files;
  return files;
}

extern "C" void on_bus_error(int /*signal*/, siginfo_t* info, void* /*context*/) {
  const auto* const at = static_cast<const std::byte*>(info->si_addr);
  for (const Guarded& file : guarded_files()) {
    if (at < file.bytes.data() || at >= file.bytes.data() + file.bytes.size()) continue;
    (void)!write(STDERR_FILENO, file.message.data(), file.message.size());
    _exit(1);
  }
  constexpr std::string_view unknown = "toy: bus error: memory could not be read\n";
  (void)!write(STDERR_FILENO, unknown.data(), unknown.size());
  _exit(1);
}

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  struct sigaction hangup {};
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);  // a closed terminal, unless under nohup
  return set;
}

/// When the first signal came, in nanoseconds of the steady clock; 0: none yet. A handler reads it.
std::atomic<std::int64_t>& first_signal() {
  static std::atomic<std::int64_t> at{0};
  static_assert(std::atomic<std::int64_t>::is_always_lock_free);
  return at;
}

/// Whether a signal came before; ends the program at the second one, which is one that comes half a second after the
/// first. Safe in a handler.
bool came_again() {
  using namespace std::chrono;
  constexpr std::int64_t together = nanoseconds(milliseconds(500)).count();
  const std::int64_t now = nanoseconds(steady_clock::now().time_since_epoch()).count();
  std::int64_t first = 0;
  if (first_signal().compare_exchange_strong(first, now)) return false;
  if (now - first >= together) {
    constexpr std::string_view ended = "toy: ended at once\n";
    (void)!write(STDERR_FILENO, ended.data(), ended.size());
    _exit(1);
  }
  return true;
}

}  // namespace

void leave_failures_to_write() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void open_standard_streams() {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (fcntl(number, F_GETFD) >= 0) continue;
    if (::open("/dev/null", O_RDWR) != number) return;  // the lowest number that is free
  }
}

void guard_mapped_files(const GgufFile& model) {
  std::vector<Guarded>& files = guarded_files();
  files.clear();
  for (const TensorInfo& tensor : model.tensors()) {
    const auto bytes = model.mapping(tensor)->bytes();
    if (std::ranges::any_of(files, [&](const Guarded& f) { return f.bytes.data() == bytes.data(); })) continue;
    const auto& path = model.paths()[static_cast<std::size_t>(tensor.shard)];
    files.push_back({bytes, "toy: " + one_line(path.string()) +
                                ": became shorter, or could not be read, while it was in use; put it back whole and "
                                "run again\n"});
  }
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

Interrupt::Interrupt() {
  const sigset_t set = stop_signals();
  first_signal() = 0;
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  try {
    watcher_ = std::thread([this, set] {
      for (int number = 0; sigwait(&set, &number) == 0;) {
        if (done_) return;
        if (!came_again()) source_.request_stop();
      }
    });
  } catch (const std::system_error& error) {
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    fail("the system starts no thread for this program ({}): see ulimit -u, -s and -v", error.code().message());
  }
}

Interrupt::~Interrupt() {
  done_ = true;
  pthread_kill(watcher_.native_handle(), SIGINT);
  watcher_.join();
  const sigset_t set = stop_signals();
  struct sigaction late {};
  late.sa_handler = [](int /*signal*/) { (void)came_again(); };
  late.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (sigismember(&set, signal) == 1) sigaction(signal, &late, nullptr);
  }
  const timespec now{};
  while (sigtimedwait(&set, nullptr, &now) > 0) {
  }
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace toy::cli

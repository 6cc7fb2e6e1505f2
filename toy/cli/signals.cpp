#include "toy/cli/signals.h"

#include <array>
#include <csignal>
#include <cstring>
#include <pthread.h>
#include <string>
#include <unistd.h>

#include "toy/cli/console.h"

namespace toy::cli {

namespace {

// Written before the handler is installed, only read by it.
std::array<char, 4200> bus_message;
std::size_t bus_message_size = 0;

extern "C" void on_bus_error(int /*signal*/) {
  (void)!write(STDERR_FILENO, bus_message.data(), bus_message_size);
  _exit(1);
}

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void ignore_broken_pipes() { std::signal(SIGPIPE, SIG_IGN); }

void guard_mapped_file(const std::filesystem::path& path) {
  const std::string text = "toy: " + one_line(path.string()) +
                           ": became shorter, or could not be read, while it was in use; put it back whole and run "
                           "again\n";
  bus_message_size = std::min(text.size(), bus_message.size());
  std::memcpy(bus_message.data(), text.data(), bus_message_size);
  struct sigaction action {};
  action.sa_handler = on_bus_error;
  sigaction(SIGBUS, &action, nullptr);
}

Interrupt::Interrupt() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  watcher_ = std::thread([this, set] {
    for (int number = 0; sigwait(&set, &number) == 0;) {
      if (done_) return;
      if (source_.stop_requested()) _exit(1);
      source_.request_stop();
    }
  });
}

Interrupt::~Interrupt() {
  done_ = true;
  pthread_kill(watcher_.native_handle(), SIGINT);
  watcher_.join();
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace toy::cli

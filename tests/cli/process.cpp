#include "tests/cli/process.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace toy::testing {

namespace {

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  return ends;
}

std::vector<std::string> environment_of(const Start& start) {
  std::vector<std::string> all{"HOME=/nonexistent"};
  for (const char* name : {"PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) all.push_back(std::string(name) + "=" + value);
  }
  for (const auto& variable : start.environment) {
    std::erase_if(all, [&](const std::string& s) { return s.starts_with(variable.first + "="); });
    all.push_back(variable.first + "=" + variable.second);
  }
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

void close_once(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

}  // namespace

Process::Process(const std::vector<std::string>& words, const Start& start) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto in = make_pipe(), out = make_pipe(), err = make_pipe();
  std::vector<std::string> arguments{TOY_PROGRAM}, variables = environment_of(start);
  arguments.insert(arguments.end(), words.begin(), words.end());
  const auto argv = pointers(arguments), envp = pointers(variables);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("no process");
  if (pid_ == 0) {
    std::signal(SIGPIPE, SIG_DFL);
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    if (start.closed_stdout) ::close(STDOUT_FILENO);
    if (!start.folder.empty() && ::chdir(start.folder.c_str()) != 0) ::_exit(126);
    if (start.stack_bytes != 0) {
      const rlimit limit{start.stack_bytes, start.stack_bytes};
      ::setrlimit(RLIMIT_STACK, &limit);
    }
    ::execve(TOY_PROGRAM, argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  ::close(err[1]);
  in_ = in[1];
  out_ = out[0];
  err_ = err[0];
  for (std::string_view rest = start.input; !rest.empty();) {
    const ssize_t n = ::write(in_, rest.data(), rest.size());
    if (n <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

Process::~Process() {
  close_once(in_);
  close_once(out_);
  close_once(err_);
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

void Process::send(int signal) const { ::kill(pid_, signal); }

void Process::stop_reading() { close_once(out_); }

void Process::end_input() { close_once(in_); }

bool Process::read_some() {
  std::array<pollfd, 2> waiting{pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}};
  if (out_ < 0 && err_ < 0) return false;
  if (::poll(waiting.data(), waiting.size(), -1) < 0) return errno == EINTR;
  const auto take = [](int& descriptor, std::string& text) {
    std::array<char, 65536> part{};
    const ssize_t n = ::read(descriptor, part.data(), part.size());
    if (n > 0) text.append(part.data(), static_cast<std::size_t>(n));
    if (n <= 0) close_once(descriptor);
  };
  if (waiting[0].revents != 0) take(out_, result_.out);
  if (waiting[1].revents != 0) take(err_, result_.err);
  return true;
}

bool Process::wait_for_output() {
  while (result_.out.empty()) {
    if (!read_some()) return false;
  }
  return true;
}

bool Process::wait_until_err(std::string_view text) {
  while (result_.err.find(text) == std::string::npos) {
    if (!read_some()) return false;
  }
  return true;
}

std::string Process::status(std::string_view key) const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':')
      return line.substr(key.size() + 1);
  }
  return {};
}

bool Process::wait_until_guarded() const {
  for (;;) {
    const std::string mask = status("SigBlk");
    if (mask.empty()) return false;
    if ((std::stoull(mask, nullptr, 16) & (1u << (SIGINT - 1))) != 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Finished Process::finish() {
  end_input();
  while (read_some()) {
  }
  int status = 0;
  struct rusage usage {};
  ::wait4(pid_, &status, 0, &usage);
  pid_ = -1;
  if (WIFEXITED(status)) result_.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
  result_.peak_bytes = static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
  return result_;
}

Finished toy(const std::vector<std::string>& words, const Start& start) {
  Process process(words, start);
  return process.finish();
}

Finished diverging_training(const std::string& folder, const std::vector<std::string>& more) {
  std::ofstream(folder + "/two.txt") << std::string(3000, 'a') << std::string(600, 'b');
  std::vector<std::string> words = {"train",        "from-scratch",
                                    "--corpus",     "two.txt",
                                    "--vocab",      "byte",
                                    "--d-model",    "16",
                                    "--heads",      "2",
                                    "--layers",     "1",
                                    "--context",    "16",
                                    "--threads",    "1",
                                    "--lr",         "1e-2",
                                    "--steps",      "60",
                                    "--eval-every", "10",
                                    "--div-crit",   "50",
                                    "--gen-every",  "0"};
  words.insert(words.end(), more.begin(), more.end());
  return toy(words, {.folder = folder});
}

int lines(std::string_view text) { return static_cast<int>(std::ranges::count(text, '\n')); }

}  // namespace toy::testing

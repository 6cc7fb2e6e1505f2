#include "tests/cli/hostile.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "toy/text/vocabulary.h"

#include "tests/sanitized.h"

namespace toy::testing {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds most_time(sanitized() ? 60 : 40);

}  // namespace

Finished toy_in_time(const std::vector<std::string>& words, const Start& start) {
  Process process(words, start);
  process.end_input();
  std::mutex mutex;
  std::condition_variable_any ended;
  const std::jthread watch([&](const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    const bool in_time = ended.wait_for(lock, stop, most_time, [&] { return stop.stop_requested(); });
    if (!in_time && !stop.stop_requested()) process.send(SIGKILL);
  });
  return process.finish();
}

std::string on_terminal(const std::vector<std::string>& words, const std::string& folder) {
  std::vector<std::string> all{TOY_PROGRAM};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> argv;
  argv.reserve(all.size() + 1);
  for (std::string& word : all) argv.push_back(word.data());
  argv.push_back(nullptr);
  int terminal = -1;
  const pid_t pid = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (pid == 0) {
    ::setenv("HOME", folder.c_str(), 1);
    if (::chdir(folder.c_str()) != 0) ::_exit(126);
    ::execv(TOY_PROGRAM, argv.data());
    ::_exit(127);
  }
  EXPECT_GT(pid, 0);
  std::string text;
  const auto end = std::chrono::steady_clock::now() + most_time;
  for (;;) {
    pollfd waiting{terminal, POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) break;
    std::array<char, 4096> part{};
    const ssize_t n = ::read(terminal, part.data(), part.size());
    if (n <= 0) break;  // EIO: the other end is closed
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  EXPECT_LT(std::chrono::steady_clock::now(), end) << "it did not end: " << words.front();
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  ::close(terminal);
  return text;
}

std::string steering(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::string_view rest = text.substr(i);
    bool bad = (byte < 0x20 && byte != '\r' && byte != '\n' && byte != '\t') || byte == 0x7f;
    bad = bad || (byte == 0xc2 && rest.size() > 1 && static_cast<unsigned char>(rest[1]) < 0xa0);
    for (const std::string_view mark : {"\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e",
                                        "\u2066", "\u2067", "\u2068", "\u2069"}) {
      bad = bad || rest.starts_with(mark);
    }
    if (bad) return std::string(text.substr(i < 40 ? 0 : i - 40, 80)) + " at " + std::to_string(i);
  }
  return {};
}

SmallModel steering_llama() {
  SmallModel model = small_llama();
  Vocabulary v = byte_vocabulary();
  const std::array<std::string, 4> parts{"\x1b[41m",
                                         "\xc2\x9b"
                                         "31m",
                                         "\u202e", "\x1b]0;title\x07"};
  StringTable tokens;
  for (std::size_t i = 0; i < v.tokens.size(); ++i) tokens.push_back(parts.at(i % 4) + std::to_string(i));
  v.tokens = std::move(tokens);
  v.types.assign(v.tokens.size(), TokenType::normal);
  v.eos.reset();
  write_vocabulary(v, model.metadata);
  model.metadata.set("general.name", "name\x1b[31m\xc2\x9b\u202e");
  return model;
}

std::map<std::string, std::string> fingerprints(const fs::path& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat status {};
    ::lstat(entry.path().c_str(), &status);
    std::string& print = all[entry.path().string()];
    print = std::to_string(status.st_mode) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
            std::to_string(status.st_mtim.tv_nsec);
    if (S_ISREG(status.st_mode)) print += read_file(entry.path());
  }
  return all;
}

}  // namespace toy::testing

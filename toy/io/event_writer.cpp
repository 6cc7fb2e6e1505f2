#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "toy/io/events.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

/// A lock that belongs to the open file, not to the process, and can be asked for without being taken.
struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

/// The `t` of the last event in the first `bytes` bytes.
double last_time(const std::filesystem::path& path, std::uint64_t bytes) {
  double seconds = 0;
  const EventLines lines = for_each_event(
      path,
      [&](const Event& event, std::uint64_t /*line*/) {
        const auto t = event.find("t");
        if (t != event.end() && t->is_number()) seconds = std::max(seconds, t->get<double>());
      },
      bytes);
  if (lines.whole_bytes != bytes) {
    fail("{}: cannot keep {} bytes: the last line among them ends at byte {}", shown(path), bytes, lines.whole_bytes);
  }
  return seconds;
}

constexpr int opening = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK;  // a pipe must not wait for a reader

/// Opens a log that is not there yet; -1 if it is.
int make_log(const std::filesystem::path& path) { return ::open(path.c_str(), opening | O_EXCL, 0666); }

}  // namespace

EventWriter::EventWriter(std::filesystem::path path, std::uint64_t keep, FileCalls calls)
    : EventWriter(
          std::move(path), [keep] { return keep; }, std::move(calls)) {}

EventWriter::EventWriter(std::filesystem::path path, const std::function<std::uint64_t()>& keep, FileCalls calls)
    : path_(std::move(path)), calls_(std::move(calls)), descriptor_(make_log(path_)) {
  const bool made = descriptor_ >= 0;
  if (!made && errno == EEXIST) descriptor_ = ::open(path_.c_str(), opening, 0666);
  // ENXIO: a pipe that nobody reads.
  if (descriptor_ < 0 && errno == ENXIO) fail("{}: is not a regular file", shown(path_));
  if (descriptor_ < 0) fail_with("cannot open the log", errno);
  bool empty_and_own = false;
  try {
    lock();
    empty_and_own = made;
    const std::uint64_t kept = keep();
    if (kept > 0) seconds_ = seconds_before_ = last_time(path_, kept);
    cut_to(kept);
    sync_folder_of(path_, calls_);
  } catch (...) {
    if (empty_and_own) ::unlink(path_.c_str());
    ::close(descriptor_);
    throw;
  }
}

void EventWriter::lock() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail_with("cannot open the log", errno);
  if (!S_ISREG(status.st_mode)) fail("{}: is not a regular file", shown(path_));
  struct flock lock = whole_file(F_WRLCK);
  if (::fcntl(descriptor_, F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) fail_with("cannot lock the log", errno);
    fail("{}: another process writes this log; wait for it or end it", shown(path_));
  }
  // The one who made it may have failed, and removed it, after it was opened here.
  struct stat named {};
  if (::stat(path_.c_str(), &named) != 0 || named.st_ino != status.st_ino || named.st_dev != status.st_dev) {
    fail("{}: another process removed this log while it was opened; try again", shown(path_));
  }
}

EventWriter::~EventWriter() {
  try {
    flush();
  } catch (...) {  // NOLINT(bugprone-empty-catch): a destructor has nobody to tell
  }
  ::close(descriptor_);
}

void EventWriter::write(nlohmann::ordered_json event) {
  const auto kind_field = event.is_object() ? event.find("kind") : event.end();
  if (kind_field == event.end() || !kind_field->is_string()) {
    fail("{}: an event without a kind was to be written", shown(path_));
  }
  const auto kind = kind_field->get<std::string>();
  const Clock::time_point now = Clock::now();
  const double microseconds = 1e6 * (seconds_before_ + std::chrono::duration<double>(now - began_).count());
  seconds_ = std::max(seconds_, std::round(microseconds) / 1e6);

  nlohmann::ordered_json line{{"kind", kind}, {"t", seconds_}};
  for (auto field = event.begin(); field != event.end(); ++field) {
    if (field.key() != "kind" && field.key() != "t") line[field.key()] = std::move(field.value());
  }
  waiting_ += line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";

  constexpr std::size_t enough = 64 * 1024;
  const bool frame = kind == "run_start" || kind == "run_end";
  if (frame || waiting_.size() >= enough || now - flushed_ >= std::chrono::seconds(1)) flush();
}

void EventWriter::flush() {
  if (torn_) cut_to(on_disk_);
  flushed_ = Clock::now();
  const std::size_t written = write_all(calls_, descriptor_, std::as_bytes(std::span(waiting_)));
  const int reason = errno;
  const bool all = written == waiting_.size();
  // What has to wait begins behind the last line that is whole on the disk.
  const std::size_t whole = waiting_.rfind('\n', written - 1) + 1;
  const std::size_t lines = written == 0 ? 0 : whole;
  waiting_.erase(0, lines);
  on_disk_ += lines;
  if (all) return;
  torn_ = true;
  cut_to(on_disk_);
  fail_with("cannot write the log", reason);
}

void EventWriter::sync() {
  flush();
  if (calls_.fsync(descriptor_) != 0) fail_with("cannot sync the log to disk", errno);
}

void EventWriter::cut_to(std::uint64_t bytes) {
  while (calls_.ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) {
    if (errno != EINTR) fail_with("cannot cut the log to its last whole line", errno);
  }
  on_disk_ = bytes;
  torn_ = false;
}

void EventWriter::fail_with(const char* what, int reason) const {
  fail("{}: {}: {}", shown(path_), what, std::strerror(reason));
}

bool is_being_written(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  struct flock lock = whole_file(F_RDLCK);
  const bool asked = ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0;
  ::close(descriptor);
  return asked && lock.l_type != F_UNLCK;
}

}  // namespace toy

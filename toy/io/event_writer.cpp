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
#include "toy/io/file.h"
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
double last_time(const Place& place, std::uint64_t bytes) {
  double seconds = 0;
  const EventLines lines = for_each_event(
      place,
      [&](const Event& event, std::uint64_t /*line*/) {
        const auto t = event.find("t");
        if (t != event.end() && t->is_number()) seconds = std::max(seconds, t->get<double>());
      },
      bytes);
  if (lines.whole_bytes != bytes) {
    fail("{}: cannot keep {} bytes: the last line among them ends at byte {}", shown(place.path()), bytes,
         lines.whole_bytes);
  }
  return seconds;
}

constexpr int opening = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK;  // a pipe must not wait for a reader

}  // namespace

EventWriter::EventWriter(const Place& place, std::uint64_t keep, FileCalls calls)
    : EventWriter(
          place, [keep] { return keep; }, std::move(calls)) {}

EventWriter::EventWriter(const Place& place, const std::function<std::uint64_t()>& keep, FileCalls calls)
    : path_(place.path()), folder_(place.folder()), calls_(std::move(calls)) {
  // It is cut and written in place: never through a link, wherever it lies.
  const Place own = folder_ / place.name();
  descriptor_ = own.open(opening | O_EXCL, 0666);
  const bool made = descriptor_ >= 0;
  if (!made && errno == EEXIST) descriptor_ = own.open(opening, 0666);
  // ENXIO: a pipe that nobody reads.
  if (descriptor_ < 0 && errno == ENXIO) fail("{}: is not a regular file", shown(path_));
  if (descriptor_ < 0) fail("{}: cannot open the log: {}", shown(path_), reason_of(errno));
  bool empty_and_own = false;
  try {
    lock();
    empty_and_own = made;
    const std::uint64_t kept = keep();
    if (kept > 0) seconds_ = seconds_before_ = last_time(own, kept);
    cut_to(kept);
    sync_folder(folder_, path_, calls_);
  } catch (...) {
    if (empty_and_own) (void)folder_.remove(place.name());
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
  const auto named = folder_.status(path_.filename());
  if (!named || named->st_ino != status.st_ino || named->st_dev != status.st_dev) {
    fail("{}: another process removed this log while it was opened; try again", shown(path_));
  }
  // Cutting it would cut the other file too: one elsewhere, or a backup of this one.
  if (status.st_nlink > 1)
    fail("{}: is also a file of another name (a hard link); make a copy of it first", shown(path_));
}

/// What is written to a file without a name is lost.
void EventWriter::require_named() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) == 0 && status.st_nlink > 0) return;
  fail("{}: was removed while it was being written; what comes now would be lost", shown(path_));
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
  if (!waiting_.empty()) require_named();
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

bool is_being_written(const Place& place) {
  const int descriptor = place.open(O_RDONLY | O_NONBLOCK);
  if (descriptor < 0) return false;
  struct flock lock = whole_file(F_RDLCK);
  const bool asked = ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0;
  ::close(descriptor);
  return asked && lock.l_type != F_UNLCK;
}

}  // namespace toy

#include "tests/io/event_trial.h"

#include <stdexcept>
#include <string>

#include "toy/io/events.h"

#include "tests/io/scratch.h"

namespace toy::testing {

namespace {
void promise(bool kept, const char* what) {
  if (!kept) throw std::logic_error(what);
}
}  // namespace

std::size_t event_trial(std::string_view bytes, const std::filesystem::path& path) {
  write_bytes(path, bytes);
  const ReadEvents before = read_events(path);
  for (const Event& event : before.events) {
    promise(event.is_object() && is_known_kind(event.at("kind").get<std::string>()), "an event of no known kind");
    (void)validate_event(event);
  }
  (void)validate_log(path);
  promise(before.whole_bytes == bytes.rfind('\n') + 1, "whole_bytes is not the end of the last line");
  {
    FileCalls calls;
    calls.fsync = [](int) { return 0; };  // thousands of real ones would take a minute
    EventWriter log(path, before.whole_bytes, calls);
    log.write({{"kind", "note"}, {"text", "more"}});
  }
  const std::string after = read_bytes(path);
  promise(after.starts_with(bytes.substr(0, before.whole_bytes)) && after.ends_with("\"more\"}\n"),
          "the log is not what was kept and one line more");
  const std::size_t torn = before.whole_bytes < bytes.size() ? 1 : 0;  // that line is gone, whatever it was
  const std::size_t events = read_events(path).events.size();
  promise(events == before.events.size() + 1 || events + torn == before.events.size() + 1, "events were lost");
  return before.events.size();
}

}  // namespace toy::testing

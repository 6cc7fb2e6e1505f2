// Random mutations of a log with a fixed seed. TOY_FUZZ_RUNS sets how many (3000).
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

#include "tests/io/event_trial.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

constexpr std::string_view log_text =
    R"({"kind":"run_start","t":0.0,"schema":"toy/v1","started_at":"2026-05-31T10:00:00Z","run_id":"a",)"
    R"("config":{"lr":1e-3}})"
    "\n"
    R"({"kind":"step","t":0.5,"step":1,"phase":"train","loss":2.5,"lr":0.001,"tokens":64,"wall_us":7,"ppl":null})"
    "\n"
    R"({"kind":"eval","t":0.6,"step":1,"name":"validation","loss":2.4,"ppl":11.0,)"
    R"("samples":[1,[2,{"a":"\u00e9\ud83d\ude00"}]]})"
    "\r\n"
    R"({"kind":"run_end","t":1.0,"reason":"completed"})"
    "\n";

void mutate(std::string& bytes, std::mt19937_64& random) {
  constexpr std::string_view spice = "{}[]\",:\n\r\\0-1e.tnu\xff";
  const std::size_t at = random() % (bytes.size() + 1);
  switch (random() % 5) {
    case 0:
      bytes.resize(at);
      break;
    case 1:
      bytes.erase(at, random() % 8);
      break;
    case 2:
      bytes.insert(at, random() % 50, spice[random() % spice.size()]);
      break;
    case 3:
      if (at < bytes.size()) bytes[at] = static_cast<char>(random());
      break;
    default:
      bytes.insert(at, bytes.substr(random() % (bytes.size() + 1), random() % 200));
  }
}

TEST(EventsMutation, LogsAreReadWhateverIsInThem) {
  const char* wanted = std::getenv("TOY_FUZZ_RUNS");
  const std::size_t runs = wanted == nullptr ? 3000 : std::strtoul(wanted, nullptr, 10);
  std::mt19937_64 random(5);
  const ScratchFolder folder;
  std::size_t events = 0;
  for (std::size_t run = 0; run < runs; ++run) {
    std::string bytes(log_text);
    for (std::size_t n = 1 + random() % 4; n > 0; --n) mutate(bytes, random);
    std::size_t found = 0;
    ASSERT_NO_THROW(found = event_trial(bytes, folder / "log")) << "run " << run << ": " << bytes;
    events += found;
  }
  // Mild enough that most events survive, wild enough that many do not.
  EXPECT_GT(events, runs);
  EXPECT_LT(events, 4 * runs);
}

}  // namespace
}  // namespace toy::testing

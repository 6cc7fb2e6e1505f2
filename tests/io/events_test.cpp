#include "toy/io/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/io/expect_error.h"
#include "tests/io/failing_calls.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Json = nlohmann::ordered_json;

Json note(const std::string& text) { return {{"kind", "note"}, {"text", text}}; }

Json run_start() {
  return {{"kind", "run_start"},
          {"schema", "toy/v1"},
          {"started_at", "2026-05-31T10:00:00Z"},
          {"run_id", "llama-20260531-001"},
          {"host", {{"name", "box"}, {"os", "linux"}, {"arch", "x86_64"}}},
          {"backend", {{"kind", "cpu"}}},
          {"model",
           {{"arch", "llama"},
            {"name", "tiny"},
            {"vocab", 64},
            {"d_model", 8},
            {"n_layers", 1},
            {"n_heads", 2},
            {"n_kv", 2},
            {"d_head", 4},
            {"d_ff", 16},
            {"weight_type", "f32"}}},
          {"config", {{"seed", 1}}}};
}

Json step(int number, double loss = 2.5) {
  return {{"kind", "step"}, {"step", number},  {"phase", "train"},  {"loss", loss},     {"lr", 1e-3},
          {"tokens", 512},  {"wall_us", 1000}, {"compute_us", 900}, {"grad_norm", 0.5}, {"ppl", 12.2}};
}

Json run_end() {
  return {{"kind", "run_end"},     {"ended_at", "2026-05-31T10:01:00Z"},
          {"reason", "completed"}, {"final_step", 2},
          {"final_loss", 2.5},     {"exit_code", 0}};
}

/// The texts of the notes in a log.
std::vector<std::string> notes_in(const std::filesystem::path& path) {
  std::vector<std::string> texts;
  for (const Event& event : read_events(path).events) texts.push_back(event.at("text"));
  return texts;
}

std::string line_of_note(const std::string& text) { return R"({"kind":"note","t":1.0,"text":")" + text + "\"}\n"; }

TEST(EventWriter, WritesOneLinePerEventWithKindAndTimeFirst) {
  const ScratchFolder folder;
  {
    EventWriter log(folder / "log");
    log.write({{"text", "two\nlines"}, {"kind", "note"}, {"t", -7}});
    log.write(note("\xff broken UTF-8"));
    EXPECT_GT(log.length(), 0U);
    log.flush();
    EXPECT_EQ(log.length(), std::filesystem::file_size(folder / "log"));
  }
  const std::string bytes = read_bytes(folder / "log");
  EXPECT_THAT(bytes, StartsWith(R"({"kind":"note","t":0.)"));
  EXPECT_EQ(std::ranges::count(bytes, '\n'), 2);
  EXPECT_THAT(notes_in(folder / "log"), ElementsAre("two\nlines", "\xEF\xBF\xBD broken UTF-8"));
}

TEST(EventWriter, NumbersThatAreNotFiniteBecomeNull) {
  const ScratchFolder folder;
  {
    EventWriter log(folder / "log");
    log.write(step(1, std::numeric_limits<double>::quiet_NaN()));
    log.write(step(2, std::numeric_limits<double>::infinity()));
  }
  const ReadEvents read = read_events(folder / "log");
  ASSERT_EQ(read.events.size(), 2U);
  for (const Event& event : read.events) {
    EXPECT_TRUE(event.at("loss").is_null());
    EXPECT_THAT(validate_event(event), IsEmpty());
  }
}

TEST(EventWriter, TheStartIsOnDiskAtOnceAndTheRestWaits) {
  const ScratchFolder folder;
  EventWriter log(folder / "log");
  log.write(run_start());
  const auto start = std::filesystem::file_size(folder / "log");
  EXPECT_EQ(start, log.length());
  log.write(note("waits"));
  EXPECT_EQ(std::filesystem::file_size(folder / "log"), start);
  EXPECT_GT(log.length(), start);
  log.sync();
  EXPECT_EQ(std::filesystem::file_size(folder / "log"), log.length());
}

TEST(EventWriter, ALongRunIsWrittenOutInBetween) {
  const ScratchFolder folder;
  EventWriter log(folder / "log");
  for (int i = 0; i < 2000; ++i) log.write(step(i));
  EXPECT_GT(std::filesystem::file_size(folder / "log"), log.length() / 2);
}

TEST(EventWriter, GoesOnBehindWhatIsKept) {
  const ScratchFolder folder;
  const std::string kept = R"({"kind":"note","t":41.5,"text":"kept"})"
                           "\n";
  write_bytes(folder / "log", kept + line_of_note("cut") + "torn");
  {
    EventWriter log(folder / "log", kept.size());
    EXPECT_EQ(log.length(), kept.size());
    log.write(note("new"));
  }
  EXPECT_THAT(notes_in(folder / "log"), ElementsAre("kept", "new"));
  EXPECT_THAT(read_bytes(folder / "log"), StartsWith(kept));
  EXPECT_GE(read_events(folder / "log").events[1].at("t"), 41.5);
}

TEST(EventWriter, RefusesToKeepWhatIsNotThere) {
  const ScratchFolder folder;
  const std::string line = line_of_note("a");
  write_bytes(folder / "log", line);
  EXPECT_THAT(error_of([&] { EventWriter(folder / "log", line.size() + 1); }), HasSubstr("cannot keep"));
  EXPECT_THAT(error_of([&] { EventWriter(folder / "log", line.size() - 1); }), HasSubstr("ends at byte 0"));
  EXPECT_EQ(read_bytes(folder / "log"), line);
  EXPECT_THAT(error_of([&] { EventWriter(folder / "no/log"); }), HasSubstr("No such file or directory"));
  EXPECT_THAT(error_of([&] { EventWriter(folder.path()); }), HasSubstr("Is a directory"));
}

TEST(EventWriter, IsTheOnlyOneOfItsLog) {
  const ScratchFolder folder;
  EXPECT_FALSE(is_being_written(folder / "log"));
  {
    EventWriter log(folder / "log");
    log.write(run_start());
    EXPECT_TRUE(is_being_written(folder / "log"));
    EXPECT_THAT(error_of([&] { EventWriter(folder / "log"); }), HasSubstr("another process writes this log"));
  }
  EXPECT_FALSE(is_being_written(folder / "log"));
  EXPECT_EQ(read_events(folder / "log").events.size(), 1U);
}

TEST(EventWriter, AnEventNeedsAKind) {
  const ScratchFolder folder;
  EventWriter log(folder / "log");
  EXPECT_THAT(error_of([&] { log.write({{"text", "a"}}); }), HasSubstr("without a kind"));
  EXPECT_THAT(error_of([&] { log.write(Json::array()); }), HasSubstr("without a kind"));
  EXPECT_EQ(log.length(), 0U);
}

// Short writes and interrupted ones are no errors.
TEST(EventWriter, ShortWritesAreContinued) {
  const ScratchFolder folder;
  CallPlan plan{.failing = 4, .reason = EINTR, .most = 7};
  {
    EventWriter log(folder / "log", 0, planned(plan));
    log.write(note("one"));
    log.write(note("two"));
    log.flush();
  }
  EXPECT_GT(plan.calls, 8);
  EXPECT_THAT(notes_in(folder / "log"), ElementsAre("one", "two"));
}

// Every call fails in turn, once or from then on: what is on disk is always whole lines in order, and once the disk
// works again nothing is missing.
TEST(EventWriter, AfterAnyFailureTheLogEndsWithAWholeLine) {
  for (const bool for_ever : {false, true}) {
    int failing = 0;
    for (bool failed = true; failed; ++failing) {
      const ScratchFolder folder;
      CallPlan plan;
      EventWriter log(folder / "log", 0, planned(plan));
      plan = {.failing = failing, .reason = ENOSPC, .for_ever = for_ever, .most = 100};
      failed = false;
      for (int i = 0; i < 6; ++i) {
        log.write(note(std::string(20, static_cast<char>('a' + i))));
        if (i % 2 == 0) continue;
        try {
          i == 3 ? log.sync() : log.flush();
        } catch (const Error& error) {
          failed = true;
          EXPECT_THAT(error.what(), EndsWith("No space left on device"));
          EXPECT_THAT(error.what(), HasSubstr((folder / "log").string()));
          const std::string bytes = read_bytes(folder / "log");
          EXPECT_TRUE(for_ever || bytes.empty() || bytes.ends_with("\"}\n")) << bytes;
        }
      }
      plan.failing = -1;
      log.flush();
      const auto notes = notes_in(folder / "log");
      ASSERT_EQ(notes.size(), 6U) << "call " << failing;
      for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(notes[i][0], static_cast<char>('a' + i));
      EXPECT_EQ(log.length(), std::filesystem::file_size(folder / "log"));
    }
    EXPECT_GT(failing, 5);
  }
}

TEST(ReadEvents, SkipsWhatIsNoEvent) {
  const ScratchFolder folder;
  const std::string deep = R"({"kind":"note","text":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}\n";
  const std::string text = line_of_note("one") + "\n" + "no json\n" + "[1,2]\n" + "7\n" + R"({"text":"no kind"})" +
                           "\n" + R"({"kind":3})" + "\n" + R"({"kind":"note","text":"\ud800"})" + "\n" +
                           std::string("{\"kind\":\"note\0\"}\n", 17) + "{\"kind\":\"note\",\"text\":\"\xff\"}\n" +
                           deep + R"({"kind":"novelty","text":"of a later version"})" + "\n" +
                           R"({"kind":"note","text":"two","later":1})" + "\r\n" + R"({"kind":"note","te)";
  write_bytes(folder / "log", text);
  const ReadEvents read = read_events(folder / "log");
  EXPECT_THAT(notes_in(folder / "log"), ElementsAre("one", "two"));
  EXPECT_EQ(read.skipped_lines, 11U);
  EXPECT_EQ(read.whole_bytes, text.rfind('\n') + 1);
}

TEST(ReadEvents, TakesALastLineWithoutItsEnd) {
  const ScratchFolder folder;
  const std::string line = line_of_note("one");
  write_bytes(folder / "log", line + line.substr(0, line.size() - 1));
  const ReadEvents read = read_events(folder / "log");
  EXPECT_EQ(read.events.size(), 2U);
  EXPECT_EQ(read.whole_bytes, line.size());
}

TEST(ReadEvents, AnEmptyLogHasNoEventsAndAMissingOneIsAnError) {
  const ScratchFolder folder;
  write_bytes(folder / "log", "");
  EXPECT_THAT(read_events(folder / "log").events, IsEmpty());
  EXPECT_THAT(error_of([&] { read_events(folder / "none"); }), HasSubstr("no such file"));
}

// Lines are put together from blocks of 64 KiB; one of every length around that, and one that is too long.
TEST(ReadEvents, LinesMayHaveAnyLength) {
  const ScratchFolder folder;
  std::string text;
  for (std::size_t n = 65'480; n < 65'560; ++n) text += line_of_note(std::string(n, 'x'));
  text += line_of_note(std::string(std::size_t{17} << 20, 'x')) + line_of_note("last");
  write_bytes(folder / "log", text);
  const auto notes = notes_in(folder / "log");
  ASSERT_EQ(notes.size(), 81U);
  for (std::size_t i = 0; i < 80; ++i) EXPECT_EQ(notes[i].size(), 65'480 + i);
  EXPECT_EQ(read_events(folder / "log").skipped_lines, 1U);
}

TEST(ValidateEvent, TakesWhatTheSchemaSays) {
  for (Json event : {run_start(), step(1), note("a"), run_end()}) {
    event["t"] = 0.5;
    event["of_a_later_version"] = 1;
    EXPECT_THAT(validate_event(event), IsEmpty()) << event;
  }
}

TEST(ValidateEvent, NamesWhatIsWrong) {
  const auto complaint = [](Json event) {
    if (!event.contains("t")) event["t"] = 1;
    const auto all = validate_event(event);
    return all.size() == 1 ? all.front() : std::to_string(all.size()) + " complaints";
  };
  const auto with = [](Json event, const char* key, const Json& value) {
    event[key] = value;
    return event;
  };
  const auto without = [](Json event, const char* key) {
    event.erase(key);
    return event;
  };
  EXPECT_EQ(complaint(without(step(1), "loss")), "loss is missing");
  EXPECT_EQ(complaint(with(step(1), "loss", "low")), "loss is '\"low\"', expected number");
  EXPECT_EQ(complaint(with(step(1), "step", -1)), "step is '-1', expected count");
  EXPECT_EQ(complaint(with(step(1), "phase", "dream")), "phase is 'dream', expected one of: train eval decode serve");
  EXPECT_EQ(complaint(with(step(1), "t", -1)), "t is not a number from 0 on");
  EXPECT_EQ(complaint(with(run_start(), "schema", "toy/v2")), "schema is 'toy/v2', expected one of: toy/v1");
  EXPECT_EQ(complaint(with(run_start(), "backend", Json::object())), "backend.kind is missing");
  EXPECT_EQ(complaint(without(run_start(), "host")), "host is missing");
  EXPECT_EQ(complaint(with(run_end(), "reason", "bored")),
            "reason is 'bored', expected one of: completed interrupted aborted errored");
  EXPECT_EQ(complaint({{"kind", "novelty"}}), "kind 'novelty' is unknown");
  EXPECT_EQ(complaint({{"kind", "step"}, {"step", 0}, {"phase", "decode"}, {"token_id", 3}, {"wall_us", 2}}),
            "logprob is missing");
}

TEST(ValidateLog, ChecksTheOrder) {
  const ScratchFolder folder;
  const auto complaints = [&](const std::vector<Json>& events) {
    std::string text;
    double t = 0;
    for (Json event : events) {
      if (!event.contains("t")) event["t"] = t += 1;
      text += event.dump() + "\n";
    }
    write_bytes(folder / "log", text);
    return validate_log(folder / "log");
  };
  Json late = note("a");
  late["t"] = 0.5;
  EXPECT_THAT(complaints({run_start(), step(1), step(2), run_end()}), IsEmpty());
  EXPECT_THAT(complaints({step(1)}), ElementsAre("line 1: step: the first event is not run_start"));
  EXPECT_THAT(complaints({run_start(), run_start()}), ElementsAre("line 2: run_start: run_start again"));
  EXPECT_THAT(complaints({run_start(), run_end(), note("a")}), ElementsAre("line 3: note: an event after run_end"));
  EXPECT_THAT(complaints({run_start(), step(1), step(3)}), ElementsAre("line 3: step: step 3 after step 1"));
  EXPECT_THAT(complaints({run_start(), late}), ElementsAre("line 2: note: t goes back to 0.5"));
  write_bytes(folder / "log", read_bytes(folder / "log") + "torn");
  EXPECT_THAT(validate_log(folder / "log"), Contains("1 line cannot be read"));
}

}  // namespace
}  // namespace toy::testing

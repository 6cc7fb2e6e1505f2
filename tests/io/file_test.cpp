#include "toy/io/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/io/expect_error.h"
#include "tests/io/failing_calls.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

std::size_t entries_in(const std::filesystem::path& folder) {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++n;
  return n;
}

TEST(File, ABadPathGivesOneClearLine) {
  const ScratchFolder folder;
  write_bytes(folder / "empty", "");
  ::mkfifo((folder / "pipe").c_str(), 0600);
  EXPECT_THAT(error_of([&] { map_file(folder / "missing"); }), EndsWith("missing: no such file"));
  EXPECT_THAT(error_of([&] { map_file(folder.path()); }), HasSubstr("is a directory"));
  EXPECT_THAT(error_of([&] { map_file(folder / "empty"); }), EndsWith("empty: is empty"));
  EXPECT_THAT(error_of([&] { map_file(folder / "pipe"); }), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of([&] { map_file(folder / "two\nlines"); }), HasSubstr("two\\x0alines"));
  if (::geteuid() != 0) {
    write_bytes(folder / "secret", "x");
    ::chmod((folder / "secret").c_str(), 0);
    EXPECT_THAT(error_of([&] { map_file(folder / "secret"); }), HasSubstr("Permission denied"));
  }
}

TEST(File, AMapHoldsTheBytesAlsoAfterPagesAreDropped) {
  const ScratchFolder folder;
  std::string text(3 * 65536, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 % 251);
  write_bytes(folder / "f", text);
  const auto map = map_file(folder / "f");
  const auto as_text = [&] {
    return std::string(reinterpret_cast<const char*>(map->bytes().data()), map->bytes().size());
  };
  EXPECT_EQ(as_text(), text);
  map->drop(100, 2 * 65536);
  map->drop(5, 3);
  map->drop(~std::uint64_t{0}, 10);
  map->drop(10, ~std::uint64_t{0});
  EXPECT_EQ(as_text(), text);
}

TEST(File, ReadingBeyondTheEndFails) {
  const MemoryFile file("12345");
  const InputFile in(file.path());
  std::array<std::byte, 4> out{};
  in.read_at(1, out);
  EXPECT_EQ(out[3], std::byte{'5'});
  EXPECT_THAT(error_of([&] { in.read_at(2, out); }), HasSubstr("became shorter"));
}

TEST(WriteAtomically, ReplacesAFileAndKeepsItsMode) {
  const ScratchFolder folder;
  const auto path = folder / "f";
  write_bytes(path, "old");
  ::chmod(path.c_str(), 0640);
  const std::string big(1 << 20, 'b');
  write_atomically(path, [&](ByteSink& out) {
    out.text("new");
    out.number<std::uint16_t>(0x4241);
    out.pad_to(8);
    EXPECT_EQ(out.position(), 8U);
    out.text(big);
    EXPECT_EQ(read_bytes(path), "old");  // not yet
  });
  EXPECT_EQ(read_bytes(path), std::string("newAB\0\0\0", 8) + big);
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0640));
  EXPECT_EQ(entries_in(folder.path()), 1U);
}

TEST(WriteAtomically, AnErrorLeavesTheOldFileAndNoTemporary) {
  const ScratchFolder folder;
  write_bytes(folder / "f", "old");
  EXPECT_THROW(write_atomically(folder / "f",
                                [](ByteSink& out) {
                                  out.text(std::string(1 << 20, 'x'));
                                  throw std::runtime_error("stop");
                                }),
               std::runtime_error);
  EXPECT_EQ(read_bytes(folder / "f"), "old");
  EXPECT_EQ(entries_in(folder.path()), 1U);
}

TEST(WriteAtomically, RefusesAFolderOrAMissingOne) {
  const ScratchFolder folder;
  const auto nothing = [](ByteSink&) {};
  EXPECT_THAT(error_of([&] { write_atomically(folder.path(), nothing); }), HasSubstr("is a directory"));
  EXPECT_THAT(error_of([&] { write_atomically(folder / "no/f", nothing); }), HasSubstr("No such file or directory"));
  if (::geteuid() != 0) {
    ::chmod(folder.path().c_str(), 0500);
    EXPECT_THAT(error_of([&] { write_atomically(folder / "f", nothing); }), HasSubstr("Permission denied"));
    ::chmod(folder.path().c_str(), 0700);
  }
}

// The last call syncs the folder: the new file is there already, whole.
TEST(WriteAtomically, WhicheverCallFailsTheFileIsWhole) {
  const std::string big(1 << 20, 'b');
  const auto write = [&](ByteSink& out) {
    out.text("new");
    out.text(big);
  };
  CallPlan all{.most = 100'000};
  const ScratchFolder first;
  write_atomically(first / "f", write, planned(all));
  EXPECT_EQ(read_bytes(first / "f"), "new" + big);
  ASSERT_GT(all.calls, 12);
  for (int failing = 0; failing < all.calls; ++failing) {
    const ScratchFolder folder;
    write_bytes(folder / "f", "old");
    CallPlan plan{.failing = failing, .most = 100'000};
    const auto message = error_of([&] { write_atomically(folder / "f", write, planned(plan)); });
    EXPECT_THAT(message, EndsWith("Input/output error"));
    EXPECT_EQ(read_bytes(folder / "f"), failing + 1 < all.calls ? "old" : "new" + big) << "call " << failing;
    EXPECT_EQ(entries_in(folder.path()), 1U);
  }
}

TEST(WriteAtomically, InterruptedWritesAreContinued) {
  const ScratchFolder folder;
  CallPlan plan{.failing = 1, .reason = EINTR, .most = 2};
  write_atomically(
      folder / "f", [](ByteSink& out) { out.text("abcdefg"); }, planned(plan));
  EXPECT_EQ(read_bytes(folder / "f"), "abcdefg");
}

// A limit on the size of files stands for a full disk: both fail inside write.
TEST(WriteAtomically, AFullDiskLeavesTheOldFile) {
  const ScratchFolder folder;
  write_bytes(folder / "f", "old");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1 << 20, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto message =
      error_of([&] { write_atomically(folder / "f", [](ByteSink& out) { out.text(std::string(2 << 20, 'x')); }); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(message, HasSubstr("cannot write: File too large"));
  EXPECT_EQ(read_bytes(folder / "f"), "old");
  EXPECT_EQ(entries_in(folder.path()), 1U);
}

}  // namespace
}  // namespace toy::testing

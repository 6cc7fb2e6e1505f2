// The threads of a device: every piece is done once, whichever members come.
#include "toy/tensor/team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <new>
#include <set>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "toy/tensor/error.h"

namespace toy {
namespace {

TEST(Team, SharesEveryPieceOnce) {
  for (const int threads : {1, 2, 3, 16}) {
    const Team team(threads);
    EXPECT_EQ(team.threads(), threads);
    for (const std::int64_t n : {0, 1, 2, 3, 1000}) {
      std::vector<int> done(static_cast<std::size_t>(n));
      team.share(n, [&](std::int64_t i) { ++done[static_cast<std::size_t>(i)]; });
      EXPECT_EQ(done, std::vector<int>(static_cast<std::size_t>(n), 1)) << threads << " threads";
    }
  }
}

/// Each region reads what the one before wrote, on whichever thread that was.
TEST(Team, RegionsFollowEachOther) {
  const Team team(4);
  std::vector<std::int64_t> a(64, 1), b(64);
  for (int step = 0; step < 20000; ++step) {
    team.share(64, [&](std::int64_t i) { b[static_cast<std::size_t>(63 - i)] = a[static_cast<std::size_t>(i)] + 1; });
    std::swap(a, b);
  }
  EXPECT_EQ(a, std::vector<std::int64_t>(64, 20001));
}

/// Workers that have gone to sleep come when they are called.
TEST(Team, WorkersComeAfterAPause) {
  const Team team(2);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> arrived = 0;
    struct Meeting {
      std::atomic<int>& arrived;
    } meeting{arrived};
    // Each member waits for the other; a team whose workers slept on would never end this.
    team.run(
        2,
        [](void* context, int /*member*/) {
          auto& both = static_cast<Meeting*>(context)->arrived;
          ++both;
          while (both.load() < 2) std::this_thread::yield();
        },
        &meeting);
    EXPECT_GE(arrived.load(), 2);
  }
}

TEST(Team, ARegionMayHaveFewerMembers) {
  const Team team(4);
  std::atomic<int> strangers = 0;
  for (int i = 0; i < 20; ++i) {
    team.run(
        2,
        [](void* context, int member) {
          *static_cast<std::atomic<int>*>(context) += member >= 2;
          if (member == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // time for others to come
        },
        &strangers);
  }
  EXPECT_EQ(strangers, 0);
}

TEST(Team, AnswersWithoutItsWorkers) {
  // After a fork the child has no workers: what they would have shared is done all the same.
  const Team team(3);
  const pid_t child = fork();
  if (child == 0) {
    std::int64_t sum = 0;
    team.share(1000, [&](std::int64_t i) { sum += i; });
    _exit(sum == 999 * 1000 / 2 ? 0 : 1);
  }
  int status = 0;
  for (int i = 0; i < 500 && waitpid(child, &status, WNOHANG) == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (i == 499) kill(child, SIGKILL);
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Team, GrowsAndShrinks) {
  Team team;
  for (const int threads : {3, 1, 5, 2, 2}) {
    team.set_threads(threads);
    EXPECT_EQ(team.threads(), threads);
    std::set<std::byte*> scratch;
    for (int member = 0; member < threads; ++member) {
      std::byte* const memory = team.scratch(member);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 64, 0u);
      memory[0] = memory[Team::scratch_bytes - 1] = std::byte{1};
      scratch.insert(memory);
    }
    EXPECT_EQ(scratch.size(), static_cast<std::size_t>(threads));
    std::atomic<std::int64_t> sum = 0;
    team.share(100, [&](std::int64_t i) { sum += i; });
    EXPECT_EQ(sum, 4950);
  }
}

TEST(Team, RefusesWhatItCannotBe) {
  Team team(2);
  for (const int threads : {0, -1, Team::most_threads + 1}) {
    try {
      team.set_threads(threads);
      ADD_FAILURE() << threads;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("threads: expected 1..1024"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(team.threads(), 2);
}

/// Where the system gives no more memory or threads, the team stays what it was.
TEST(Team, StaysWhatItWasWhereThreadsDoNotStart) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer needs address space of its own";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "the sanitizer needs address space of its own";
#endif
#endif
  const pid_t child = fork();
  if (child == 0) {
    Team team(2);
    const rlimit limit{std::size_t{64} << 20, std::size_t{64} << 20};
    setrlimit(RLIMIT_AS, &limit);
    try {
      team.set_threads(1000);
      _exit(1);
    } catch (const std::bad_alloc&) {
    } catch (const Error& error) {
      if (std::string(error.what()).find("threads: the system started") == std::string::npos) _exit(2);
    }
    std::atomic<std::int64_t> sum = 0;
    team.share(100, [&](std::int64_t i) { sum += i; });
    const auto tasks = std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
    _exit(team.threads() == 2 && tasks == 2 && sum == 4950 ? 0 : 3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

/// The signals of the program are for the threads that it chose, not for workers.
TEST(Team, WorkersBlockSignals) {
  const Team team(2);
  sigset_t masks[2] = {};
  std::atomic<int> arrived = 0;
  struct Call {
    sigset_t* masks;
    std::atomic<int>* arrived;
  } call{masks, &arrived};
  team.run(
      2,
      [](void* context, int member) {
        const auto& [where, both] = *static_cast<Call*>(context);
        pthread_sigmask(SIG_BLOCK, nullptr, &where[member]);
        ++*both;
        while (both->load() < 2) std::this_thread::yield();
      },
      &call);
  EXPECT_EQ(sigismember(&masks[0], SIGINT), 0);
  EXPECT_EQ(sigismember(&masks[1], SIGINT), 1);
  EXPECT_EQ(sigismember(&masks[1], SIGTERM), 1);
  EXPECT_EQ(sigismember(&masks[1], SIGBUS), 0);
}

}  // namespace
}  // namespace toy

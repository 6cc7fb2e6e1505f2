#include "toy/tensor/team.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "toy/tensor/error.h"

namespace toy {

namespace {

/// Gaps between the regions of a decoded token are shorter than this; whoever waits longer sleeps.
constexpr std::chrono::microseconds spin_time{50};

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits while `value` is `old`, first spinning. Returns what it became.
std::uint32_t wait_while(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  constexpr int pauses = 16;  // between two looks at the clock
  std::uint32_t now = value.load(std::memory_order_acquire);
  for (const auto start = std::chrono::steady_clock::now();
       now == old && std::chrono::steady_clock::now() - start < spin_time;) {
    for (int i = 0; i < pauses && now == old; ++i) {
      pause();
      now = value.load(std::memory_order_acquire);
    }
  }
  for (; now == old; now = value.load(std::memory_order_acquire)) value.wait(old, std::memory_order_acquire);
  return now;
}

/// While it lives, new threads begin with all signals blocked but those of their own faults: the program's signals are
/// for the thread that waits for them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (const int own : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) sigdelset(&all, own);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

struct Free {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
using Scratch = std::unique_ptr<std::byte[], Free>;

Scratch new_scratch() {
  return Scratch(static_cast<std::byte*>(::operator new[](Team::scratch_bytes, std::align_val_t{64})));
}

}  // namespace

struct Team::Workers {
  static constexpr std::uint32_t open = 1U << 31;

  // Workers wait for the next region on one line, and enter and leave it on another.
  alignas(64) std::atomic<std::uint32_t> region{0};  // number of the region, changed by the caller alone
  alignas(64) std::atomic<std::uint32_t> inside{0};  // `open`, plus the workers that are inside
  // Written while nobody is inside, read by those who entered.
  int members = 0;
  void (*body)(void*, int) = nullptr;
  void* context = nullptr;

  std::atomic<int> wanted{1};  // members from here on end
  std::vector<Scratch> scratch;
  std::vector<std::thread> threads;  // of the members 1, 2, ...

  bool enter() {
    std::uint32_t now = inside.load(std::memory_order_relaxed);
    while ((now & open) != 0) {
      if (inside.compare_exchange_weak(now, now + 1, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    }
    return false;
  }

  void leave() {
    if (inside.fetch_sub(1, std::memory_order_acq_rel) == 1) inside.notify_one();  // closed, and this was the last
  }

  void work(int member) {
    for (std::uint32_t seen = 0;;) {
      seen = wait_while(region, seen);
      if (member >= wanted.load(std::memory_order_relaxed)) return;
      if (!enter()) continue;
      if (member < members) body(context, member);
      leave();
    }
  }

  void call_workers() {
    region.fetch_add(1, std::memory_order_release);
    region.notify_all();
  }

  /// Ends the workers of the members from `count` on.
  void shrink(int count) {
    wanted.store(count, std::memory_order_relaxed);
    call_workers();
    while (static_cast<int>(threads.size()) >= count) {
      threads.back().join();
      threads.pop_back();
    }
    scratch.resize(static_cast<std::size_t>(count));
  }
};

Team::Team(int threads) : workers_(std::make_unique<Workers>()) {
  workers_->scratch.push_back(new_scratch());
  set_threads(threads);
}

Team::~Team() { workers_->shrink(1); }

void Team::set_threads(int threads) {
  if (threads < 1 || threads > most_threads) refuse("threads: expected 1..{}, found {}", most_threads, threads);
  Workers& w = *workers_;
  if (threads < threads_) w.shrink(threads);
  if (threads > threads_) {
    w.wanted.store(threads, std::memory_order_relaxed);
    const SignalsBlocked blocked;
    try {
      for (int member = threads_; member < threads; ++member) {
        w.scratch.push_back(new_scratch());
        w.threads.emplace_back([&w, member] { w.work(member); });
      }
    } catch (const std::system_error& error) {
      const std::size_t started = w.threads.size() + 1;
      w.shrink(threads_);
      fail("threads: the system started {} of {} threads ({}); ask for fewer", started, threads,
           error.code().message());
    } catch (...) {
      w.shrink(threads_);
      throw;
    }
  }
  threads_ = threads;
}

void Team::run(int members, void (*body)(void*, int), void* context) const {
  Workers& w = *workers_;
  if (members <= 1 || threads_ <= 1) return body(context, 0);
  w.members = members;
  w.body = body;
  w.context = context;
  w.inside.store(Workers::open, std::memory_order_release);
  w.call_workers();
  body(context, 0);
  std::uint32_t now = w.inside.fetch_and(~Workers::open, std::memory_order_acq_rel) & ~Workers::open;
  while (now != 0) now = wait_while(w.inside, now);
}

std::byte* Team::scratch(int member) const { return workers_->scratch[static_cast<std::size_t>(member)].get(); }

}  // namespace toy

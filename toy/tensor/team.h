// The threads of a device: a team that shares the pieces of one kernel call at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "toy/tensor/device/forms.h"

namespace toy {

/// Threads that share the work of a kernel call: the caller (member 0) and `threads() - 1` workers.
///
/// A region opens for one call, and every member that is awake joins it. The body must divide the work by a shared
/// counter, so that it is complete whichever members come: a worker that the system does not run in time is not
/// waited for. Whoever has nothing to do spins for a few microseconds and then sleeps (futex), so that a team leaves
/// the processor to other programs. A team belongs to one device and, like it, to one thread at a time.
class Team {
 public:
  static constexpr int most_threads = 1024;
  /// Bytes of memory of its own that each member has, as stacks may be small.
  static constexpr std::size_t scratch_bytes = std::size_t{512} << 10;

  /// Errors: those of set_threads.
  explicit Team(int threads = 1);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int threads() const { return threads_; }
  /// Starts or ends workers until there are `threads` members. Errors: fewer than 1 or more than most_threads; the
  /// system starts no thread or has no memory for it (the team is then what it was).
  void set_threads(int threads);

  /// Of the micro-kernels that run on this team.
  const Forms& forms() const { return forms_; }
  void set_forms(const Forms& forms) { forms_ = forms; }

  /// Calls body(context, member) on the calling thread as member 0 and, for as long as the call lasts, on those workers
  /// below `members` that come, possibly more than once. Returns when all have returned. `body` must not throw.
  void run(int members, void (*body)(void* context, int member), void* context) const;

  /// Calls f(i) for i in [0, n), each taken by whoever is free.
  template <class F>
  void share(std::int64_t n, const F& f) const {
    struct Call {
      const F& f;
      std::int64_t n, next;
    } call{f, n, 0};
    run(
        threads_,
        [](void* context, int /*member*/) {
          Call& c = *static_cast<Call*>(context);
          const auto take = [&] { return __atomic_fetch_add(&c.next, 1, __ATOMIC_RELAXED); };
          for (std::int64_t i = take(); i < c.n; i = take()) c.f(i);
        },
        &call);
  }

  /// Memory of one member, aligned to 64 bytes, for use inside a call of its own.
  std::byte* scratch(int member) const;

 private:
  struct Workers;
  int threads_ = 1;
  Forms forms_;
  std::unique_ptr<Workers> workers_;
};

}  // namespace toy

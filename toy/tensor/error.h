// The one exception type of the library, and the two ways to throw it.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace toy {

/// Who can put it right: `failed` (exit code 1: a bad file, no memory) or `asked_wrongly` (exit code 2: a bad
/// argument).
enum class Fault { failed, asked_wrongly };

/// Every error the library throws. The message is one line: what, where, expected / found, and what to do.
class Error : public std::runtime_error {
 public:
  Error(Fault fault, const std::string& message) : std::runtime_error(message), fault_(fault) {}
  Fault fault() const { return fault_; }

 private:
  Fault fault_;
};

/// Throws Error(failed).
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(Fault::failed, fmt::format(format, std::forward<Args>(args)...));
}

/// Throws Error(asked_wrongly): the caller gave something that cannot be done.
template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(Fault::asked_wrongly, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace toy

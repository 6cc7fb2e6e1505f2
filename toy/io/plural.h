// Numbers of things in messages.
#pragma once

#include <string>
#include <string_view>

namespace toy {

/// The word that a count takes: "line" for 1, else `many`, or the word with an s: "lines".
template <class Count>
std::string plural(Count count, std::string_view one, std::string_view many = {}) {
  if (count == 1) return std::string(one);
  return many.empty() ? std::string(one) + "s" : std::string(many);
}

}  // namespace toy

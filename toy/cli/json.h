// JSON answers.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace toy::cli {

/// Keeps the order in which keys are set.
using Json = nlohmann::ordered_json;

/// One line, always valid: bytes that are not UTF-8 become U+FFFD, numbers that are not finite null.
inline std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace toy::cli

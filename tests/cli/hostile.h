// What tests of hostile files share: a program that must end in time, on pipes or on a terminal.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "toy/io/gguf.h"

#include "tests/cli/process.h"
#include "tests/cli/small_models.h"

namespace toy::testing {

/// As toy(); killed by SIGKILL when it has not ended after forty seconds, as other programs may run beside it (a
/// minute under a sanitizer).
Finished toy_in_time(const std::vector<std::string>& words, const Start& start);

/// Everything that the program writes to a terminal of its own, stdout and stderr; killed in the same way.
std::string on_terminal(const std::vector<std::string>& words, const std::string& folder);

/// The first place that would steer a terminal: a control character but CR, LF and tab, a C1 control, a mark of the
/// direction of writing. Empty: none.
std::string steering(std::string_view text);

/// A Llama whose tokens, each of them, hold what steers a terminal.
SmallModel steering_llama();

/// Everything below a folder, its bytes and its time of change; links are not followed.
std::map<std::string, std::string> fingerprints(const std::filesystem::path& folder);

}  // namespace toy::testing

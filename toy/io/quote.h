// Text from untrusted files, made safe for a message of one line.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace toy {

/// 'text' with every byte outside printable ASCII written as \xNN, cut after `limit` bytes.
std::string in_quotes(std::string_view text, std::size_t limit = 80);

/// The path as it is, control characters written as \xNN; the middle of a very long one is left out.
std::string shown(const std::filesystem::path& path);

}  // namespace toy

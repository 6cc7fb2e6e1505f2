// Where the PyTorch reference data lies: a trimmed set in the repository, all of it in TOY_REFERENCE.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace toy::test {

inline std::filesystem::path trimmed() { return std::filesystem::path(TOY_TEST_DATA) / "parity"; }

/// The folder of `name` ("models/gpt2", "quants"): from TOY_REFERENCE if it is set, else trimmed; empty if neither.
inline std::filesystem::path reference(const std::string& name, const std::string& file) {
  if (const char* root = std::getenv("TOY_REFERENCE")) {
    const auto folder = std::filesystem::path(root) / "parity" / name;
    if (exists(folder / file)) return folder;
  }
  const auto folder = trimmed() / name;
  return exists(folder / file) ? folder : std::filesystem::path();
}

}  // namespace toy::test

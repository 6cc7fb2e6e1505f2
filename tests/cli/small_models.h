// Small models made by the tests, and a folder for them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "toy/io/gguf.h"

namespace toy::testing {

/// A folder that removes itself.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  std::string str() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

struct SmallModel {
  Metadata metadata;
  std::vector<TensorSource> tensors;
  /// Writes it and returns the path.
  std::string write(const std::filesystem::path& path) const;
};

/// A Llama with a byte vocabulary: D 32, 2 layers, 4 heads, 2 KV heads, F 48, context 64. Parameters are a fixed wave.
SmallModel small_llama();
/// A GPT-2 of the same sizes.
SmallModel small_gpt2();

/// Writes text to a file, making its folders.
void write_file(const std::filesystem::path& path, std::string_view text);
std::string read_file(const std::filesystem::path& path);

}  // namespace toy::testing

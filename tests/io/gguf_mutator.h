// Random valid GGUF files, and mutations that know where a file's fields are. Used by the tests and the fuzz target.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace toy::testing {

using Random = std::mt19937_64;

/// What a field of the header means.
enum class FieldKind { version, count, length, text, type, number, array, rank, axis, offset };

struct Field {
  FieldKind kind;
  std::size_t start;
  std::size_t bytes;
};

/// A key with its value, or a tensor's row of the table.
struct HeaderEntry {
  bool is_key;
  std::size_t start;
  std::size_t end;
};

struct HeaderMap {
  std::vector<Field> fields;
  std::vector<HeaderEntry> entries;
};

/// Finds the fields of a header, as far as it makes sense; not the parser under test.
HeaderMap map_header(std::string_view bytes);

/// A small valid file with random keys and tensors.
std::string random_gguf(Random& random);

/// Changes one thing: a count, length, type, axis, offset or text, a whole entry, the end of the file, or single bytes.
void mutate_gguf(std::string& bytes, Random& random);

/// Opens a file and, if it opens, reads all of it through the public interface. Returns whether it opened. Throws
/// std::logic_error when the reader lets something through that it must not.
bool read_everything(const std::filesystem::path& path);

}  // namespace toy::testing

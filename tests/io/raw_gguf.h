// Builds GGUF files byte by byte, without the code under test, so that any field can be wrong.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace toy::testing {

/// Numbers of the format's documentation, written out once more.
namespace kv {
enum Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
}
namespace ggml {
enum Type : std::uint32_t { f32 = 0, f16 = 1, q4_0 = 2, q8_0 = 8, q6_k = 14, iq2_xxs = 16, i8 = 24, bf16 = 30 };
}

template <class T>
requires std::is_arithmetic_v<T> || std::is_enum_v<T> std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

inline std::string raw_text(std::string_view text) { return raw<std::uint64_t>(text.size()) + std::string(text); }

inline std::string raw_key(std::string_view key, std::uint32_t type, std::string_view value) {
  return raw_text(key) + raw(type) + std::string(value);
}

inline std::string raw_array(std::string_view key, std::uint32_t element, std::uint64_t count,
                             std::string_view elements) {
  return raw_key(key, kv::array, raw(element) + raw(count) + std::string(elements));
}

inline std::string raw_tensor(std::string_view name, const std::vector<std::uint64_t>& ne, std::uint32_t type,
                              std::uint64_t offset) {
  std::string bytes = raw_text(name) + raw(static_cast<std::uint32_t>(ne.size()));
  for (const std::uint64_t n : ne) bytes += raw(n);
  return bytes + raw(type) + raw(offset);
}

/// A file in pieces; what is not set is right.
struct RawGguf {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::optional<std::uint64_t> tensor_count{};
  std::optional<std::uint64_t> key_count{};
  std::vector<std::string> keys{};
  std::vector<std::string> tensors{};
  std::uint64_t alignment = 32;
  std::string data{};

  std::string header() const {
    std::string bytes =
        magic + raw(version) + raw(tensor_count.value_or(tensors.size())) + raw(key_count.value_or(keys.size()));
    for (const auto& k : keys) bytes += k;
    for (const auto& t : tensors) bytes += t;
    return bytes;
  }
  std::string str() const {
    std::string bytes = header();
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
    return bytes + data;
  }
};

/// A small file with one key of each kind and two tensors.
inline RawGguf small_gguf() {
  RawGguf file;
  file.keys = {
      raw_key("general.architecture", kv::string, raw_text("test")),
      raw_key("a.u8", kv::u8, raw<std::uint8_t>(200)),
      raw_key("a.i32", kv::i32, raw<std::int32_t>(-7)),
      raw_key("a.f32", kv::f32, raw(1.5F)),
      raw_key("a.bool", kv::boolean, raw<std::uint8_t>(1)),
      raw_key("a.u64", kv::u64, raw(std::uint64_t{1} << 40)),
      raw_array("a.numbers", kv::i32, 3, raw(1) + raw(-2) + raw(3)),
      raw_array("a.texts", kv::string, 2, raw_text("one") + raw_text("")),
  };
  file.tensors = {raw_tensor("x", {3, 2}, ggml::f32, 0), raw_tensor("y", {32}, ggml::q8_0, 32)};
  file.data = std::string(24, 'x') + std::string(8, '\0') + std::string(34, 'y') + std::string(30, '\0');
  return file;
}

}  // namespace toy::testing

// The metadata of a GGUF file: ordered keys with typed values, kept as the bytes of the file.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace toy {

class InputFile;

/// The 13 value types, numbered as in the file.
enum class ValueType : std::uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64 };

inline constexpr std::uint32_t value_type_count = 13;

/// "UINT32", as the format's documents write it.
std::string_view name(ValueType type);
/// Bytes of one number or bool; 0 for strings and arrays.
std::size_t bytes_of(ValueType type);

using Bytes = std::vector<std::byte>;

/// The longest text that a getter reads.
inline constexpr std::uint64_t most_text_bytes = 1 << 20;

/// Bytes of an open file that nobody has asked for yet.
struct Unread {
  std::shared_ptr<const InputFile> file{};
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// One value, as it lies in the file. Copies share their bytes.
struct MetaValue {
  ValueType type = ValueType::U8;
  ValueType element = ValueType::U8;  // of an array
  std::uint64_t count = 1;            // elements of an array
  /// A number, the text of a string, or the elements of an array back to back (strings with their lengths). Empty when
  /// they are still in the file: read() has them.
  std::span<const std::byte> raw{};
  std::shared_ptr<const Bytes> owner{};
  Unread unread{};

  /// "UINT32" or "array of 3 STRING", for messages.
  std::string type_name() const;
  std::uint64_t bytes() const { return unread.file ? unread.bytes : raw.size(); }
  /// This value with its bytes in memory. Fails when the file has become shorter.
  MetaValue read() const;
};

/// The texts of a string array, read from the file when this is made.
class StringArray {
 public:
  /// Fails, beginning with `where`, when the texts are not those that were checked.
  StringArray(const MetaValue& value, std::string_view where);
  std::size_t size() const { return starts_.size(); }
  bool empty() const { return size() == 0; }
  /// Element i < size(); any bytes, not necessarily UTF-8.
  std::string_view operator[](std::size_t i) const;

 private:
  MetaValue value_;
  std::vector<std::uint32_t> starts_;  // of each text in value_.raw
};

/// A number that metadata can hold and a caller can ask for.
template <class T>
concept MetaNumber = std::integral<T> || std::floating_point<T>;

/// The elements of an array of numbers or bools, read from the file when this is made.
class NumberArray {
 public:
  NumberArray(const MetaValue& value, std::string_view where) : value_(value.read()), where_(where) {}
  std::size_t size() const { return value_.count; }
  bool empty() const { return size() == 0; }
  ValueType element_type() const { return value_.element; }
  /// Element i < size(), converted by the rules of Metadata::get.
  template <MetaNumber T>
  T at(std::size_t i) const;
  template <MetaNumber T>
  std::vector<T> to_vector() const {
    std::vector<T> out(size());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = at<T>(i);
    return out;
  }

 private:
  MetaValue value_;
  std::string where_;
};

/// Ordered map from key to typed value.
///
/// Getters convert as little as is safe: any integer type to an integer that can hold the value, FLOAT32 and FLOAT64 to
/// a floating-point type if finite, BOOL of byte 0 or 1 to bool. All else is an error that names key, expected, found.
/// T is bool, an integer, float, double, std::string, StringArray or NumberArray.
class Metadata {
 public:
  struct Entry {
    std::string key;
    MetaValue value;
  };

  Metadata() = default;
  /// `origin` (a path) begins every message.
  explicit Metadata(std::string origin) : origin_(std::move(origin)) {}

  const std::vector<Entry>& entries() const { return entries_; }
  std::size_t size() const { return entries_.size(); }
  bool contains(std::string_view key) const { return value(key) != nullptr; }
  /// The value as it lies in the file; null when the key is absent.
  const MetaValue* value(std::string_view key) const;

  template <class T>
  std::optional<T> find(std::string_view key) const {
    const MetaValue* v = value(key);
    if (v == nullptr) return std::nullopt;
    return convert<T>(key, *v);
  }
  template <class T>
  T get(std::string_view key) const {
    return convert<T>(key, require(key));
  }
  template <class T>
  T get_or(std::string_view key, T absent) const {
    const MetaValue* v = value(key);
    return v == nullptr ? absent : convert<T>(key, *v);
  }
  /// An integer of [min, max]. The key must be there.
  std::int64_t get_count(std::string_view key, std::int64_t min, std::int64_t max) const;
  /// `absent` when there is no such key, else as get_count.
  std::int64_t get_count_or(std::string_view key, std::int64_t absent, std::int64_t min, std::int64_t max) const;
  /// Elements of a string array, without reading them; 0 when there is no such key.
  std::uint64_t count_strings(std::string_view key) const;

  /// Setters replace a value in place or add it at the end. A key has 1 to 65535 bytes and no NUL.
  template <MetaNumber T>
  void set(std::string_view key, T number);
  void set(std::string_view key, std::string_view text);
  void set(std::string_view key, const char* text) { set(key, std::string_view(text)); }
  template <MetaNumber T>
  void set_array(std::string_view key, std::span<const T> numbers);
  void set_strings(std::string_view key, std::span<const std::string> strings);
  void set_value(std::string_view key, MetaValue value);
  /// Removes a key if it is there.
  void erase(std::string_view key);

 private:
  const MetaValue& require(std::string_view key) const;
  std::string where(std::string_view key) const;
  template <class T>
  T convert(std::string_view key, const MetaValue& value) const;

  std::string origin_;
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

namespace detail {

/// The GGUF type of a C++ number.
template <MetaNumber T>
constexpr ValueType value_type() {
  if constexpr (std::same_as<T, bool>) return ValueType::Bool;
  if constexpr (std::floating_point<T>) return sizeof(T) == 4 ? ValueType::F32 : ValueType::F64;
  if constexpr (sizeof(T) == 1) return std::is_signed_v<T> ? ValueType::I8 : ValueType::U8;
  if constexpr (sizeof(T) == 2) return std::is_signed_v<T> ? ValueType::I16 : ValueType::U16;
  if constexpr (sizeof(T) == 4) return std::is_signed_v<T> ? ValueType::I32 : ValueType::U32;
  return std::is_signed_v<T> ? ValueType::I64 : ValueType::U64;
}

MetaValue number_value(ValueType type, std::span<const std::byte> raw);
MetaValue array_value(ValueType element, std::uint64_t count, std::span<const std::byte> raw);

// `where` begins the messages: file and key.
bool to_bool(std::string_view where, ValueType type, std::span<const std::byte> raw);
double to_double(std::string_view where, ValueType type, std::span<const std::byte> raw);
/// As FLOAT32: also refuses what overflows it.
float to_float(std::string_view where, ValueType type, std::span<const std::byte> raw);
/// An integer of [min, max]; a max above INT64_MAX is meant for unsigned 64-bit numbers.
std::uint64_t to_integer(std::string_view where, ValueType type, std::span<const std::byte> raw, std::int64_t min,
                         std::uint64_t max);

template <MetaNumber T>
T to_number(std::string_view where, ValueType type, std::span<const std::byte> raw) {
  if constexpr (std::same_as<T, bool>) {
    return to_bool(where, type, raw);
  } else if constexpr (std::same_as<T, float>) {
    return to_float(where, type, raw);
  } else if constexpr (std::floating_point<T>) {
    return to_double(where, type, raw);
  } else {
    using Limits = std::numeric_limits<T>;
    return static_cast<T>(to_integer(where, type, raw, static_cast<std::int64_t>(Limits::min()),
                                     static_cast<std::uint64_t>(Limits::max())));
  }
}

std::string to_text(std::string_view where, const MetaValue& value);
void expect_string_array(std::string_view where, const MetaValue& value);
void expect_number_array(std::string_view where, const MetaValue& value);

}  // namespace detail

template <MetaNumber T>
T NumberArray::at(std::size_t i) const {
  const std::size_t n = bytes_of(value_.element);
  return detail::to_number<T>(where_, value_.element, value_.raw.subspan(i * n, n));
}

template <class T>
T Metadata::convert(std::string_view key, const MetaValue& value) const {
  if constexpr (std::same_as<T, StringArray>) {
    detail::expect_string_array(where(key), value);
    return StringArray(value, where(key));
  } else if constexpr (std::same_as<T, NumberArray>) {
    detail::expect_number_array(where(key), value);
    return NumberArray(value, where(key));
  } else if constexpr (MetaNumber<T>) {
    return detail::to_number<T>(where(key), value.type, value.raw);
  } else {
    static_assert(std::same_as<T, std::string>);
    return detail::to_text(where(key), value);
  }
}

template <MetaNumber T>
void Metadata::set(std::string_view key, T number) {
  set_value(key, detail::number_value(detail::value_type<T>(), std::as_bytes(std::span(&number, 1))));
}

template <MetaNumber T>
void Metadata::set_array(std::string_view key, std::span<const T> numbers) {
  set_value(key, detail::array_value(detail::value_type<T>(), numbers.size(), std::as_bytes(numbers)));
}

}  // namespace toy

#include "toy/io/metadata.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "toy/io/file.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

struct ValueTypeInfo {
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array<ValueTypeInfo, value_type_count> value_types = {{
    {"UINT8", 1},
    {"INT8", 1},
    {"UINT16", 2},
    {"INT16", 2},
    {"UINT32", 4},
    {"INT32", 4},
    {"FLOAT32", 4},
    {"BOOL", 1},
    {"STRING", 0},
    {"ARRAY", 0},
    {"UINT64", 8},
    {"INT64", 8},
    {"FLOAT64", 8},
}};

template <class T>
T load(std::span<const std::byte> raw) {
  T value;
  std::memcpy(&value, raw.data(), sizeof(T));
  return value;
}

std::string_view text_of(std::span<const std::byte> raw) {
  return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

MetaValue owned(MetaValue value, Bytes bytes) {
  value.owner = std::make_shared<const Bytes>(std::move(bytes));
  value.raw = *value.owner;
  return value;
}

/// Sign and magnitude hold every value of the eight integer types.
struct Integer {
  bool negative;
  std::uint64_t magnitude;
};

Integer from_signed(std::int64_t v) {
  return {v < 0, v < 0 ? 0 - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v)};
}

std::optional<Integer> integer_of(ValueType type, std::span<const std::byte> raw) {
  switch (type) {
    case ValueType::U8:
      return Integer{false, load<std::uint8_t>(raw)};
    case ValueType::U16:
      return Integer{false, load<std::uint16_t>(raw)};
    case ValueType::U32:
      return Integer{false, load<std::uint32_t>(raw)};
    case ValueType::U64:
      return Integer{false, load<std::uint64_t>(raw)};
    case ValueType::I8:
      return from_signed(load<std::int8_t>(raw));
    case ValueType::I16:
      return from_signed(load<std::int16_t>(raw));
    case ValueType::I32:
      return from_signed(load<std::int32_t>(raw));
    case ValueType::I64:
      return from_signed(load<std::int64_t>(raw));
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string_view name(ValueType type) { return value_types[static_cast<std::size_t>(type)].name; }

std::size_t bytes_of(ValueType type) { return value_types[static_cast<std::size_t>(type)].bytes; }

std::string MetaValue::type_name() const {
  if (type != ValueType::Array) return std::string(name(type));
  return fmt::format("array of {} {}", count, name(element));
}

MetaValue MetaValue::read() const {
  if (!unread.file) return *this;
  Bytes bytes(unread.bytes);
  unread.file->read_at(unread.offset, bytes);
  return owned({.type = type, .element = element, .count = count}, std::move(bytes));
}

StringArray::StringArray(const MetaValue& value, std::string_view where) : value_(value.read()) {
  starts_.reserve(value_.count);
  std::span<const std::byte> rest = value_.raw;
  while (starts_.size() < value_.count) {
    const std::uint64_t length = rest.size() < 8 ? rest.size() : load<std::uint64_t>(rest);
    if (rest.size() < 8 || length > rest.size() - 8) {
      fail("{}: text {} of {} is not where it was: the file changed while it was read", where, starts_.size(),
           value_.count);
    }
    starts_.push_back(static_cast<std::uint32_t>(value_.raw.size() - rest.size() + 8));
    rest = rest.subspan(8 + length);
  }
}

std::string_view StringArray::operator[](std::size_t i) const {
  const std::size_t start = starts_[i];
  const auto length = load<std::uint64_t>(value_.raw.subspan(start - 8, 8));
  return text_of(value_.raw.subspan(start, length));
}

const MetaValue* Metadata::value(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &entries_[found->second].value;
}

const MetaValue& Metadata::require(std::string_view key) const {
  const MetaValue* v = value(key);
  if (v == nullptr) fail("{}missing key {}", origin_.empty() ? "" : origin_ + ": ", key);
  return *v;
}

std::string Metadata::where(std::string_view key) const {
  return fmt::format("{}{}key {}", origin_, origin_.empty() ? "" : ": ", key);
}

std::int64_t Metadata::get_count(std::string_view key, std::int64_t min, std::int64_t max) const {
  const MetaValue& v = require(key);
  return static_cast<std::int64_t>(
      detail::to_integer(where(key), v.type, v.raw, min, static_cast<std::uint64_t>(std::max<std::int64_t>(max, 0))));
}

std::int64_t Metadata::get_count_or(std::string_view key, std::int64_t absent, std::int64_t min,
                                    std::int64_t max) const {
  return contains(key) ? get_count(key, min, max) : absent;
}

std::uint64_t Metadata::count_strings(std::string_view key) const {
  const MetaValue* v = value(key);
  if (v == nullptr) return 0;
  detail::expect_string_array(where(key), *v);
  return v->count;
}

void Metadata::set(std::string_view key, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  set_value(key, owned({.type = ValueType::String}, Bytes(bytes.begin(), bytes.end())));
}

void Metadata::set_strings(std::string_view key, std::span<const std::string> strings) {
  Bytes raw;
  for (const std::string& s : strings) {
    const std::uint64_t length = s.size();
    const auto head = std::as_bytes(std::span(&length, 1));
    const auto body = std::as_bytes(std::span(s));
    raw.insert(raw.end(), head.begin(), head.end());
    if (raw.size() + body.size() > std::numeric_limits<std::uint32_t>::max()) {
      fail("{}: the strings take more than 4 GiB", where(key));
    }
    raw.insert(raw.end(), body.begin(), body.end());
  }
  set_value(key,
            owned({.type = ValueType::Array, .element = ValueType::String, .count = strings.size()}, std::move(raw)));
}

void Metadata::set_value(std::string_view key, MetaValue value) {
  if (key.empty() || key.size() > 65535 || key.find('\0') != key.npos) {
    fail("{}{}metadata key {}: expected 1 to 65535 bytes without NUL", origin_, origin_.empty() ? "" : ": ",
         in_quotes(key));
  }
  const auto found = index_.find(key);
  if (found != index_.end()) {
    entries_[found->second].value = std::move(value);
    return;
  }
  index_.emplace(key, entries_.size());
  entries_.push_back({std::string(key), std::move(value)});
}

void Metadata::erase(std::string_view key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return;
  const std::size_t position = found->second;
  index_.erase(found);
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(position));
  for (auto& [k, i] : index_) {
    if (i > position) --i;
  }
}

namespace detail {

MetaValue number_value(ValueType type, std::span<const std::byte> raw) {
  return owned({.type = type}, Bytes(raw.begin(), raw.end()));
}

MetaValue array_value(ValueType element, std::uint64_t count, std::span<const std::byte> raw) {
  return owned({.type = ValueType::Array, .element = element, .count = count}, Bytes(raw.begin(), raw.end()));
}

bool to_bool(std::string_view where, ValueType type, std::span<const std::byte> raw) {
  if (type != ValueType::Bool) fail("{}: expected BOOL, found {}", where, name(type));
  const auto byte = load<std::uint8_t>(raw);
  if (byte > 1) fail("{}: expected a BOOL of 0 or 1, found {}", where, byte);
  return byte == 1;
}

double to_double(std::string_view where, ValueType type, std::span<const std::byte> raw) {
  if (type != ValueType::F32 && type != ValueType::F64) {
    fail("{}: expected FLOAT32 or FLOAT64, found {}", where, name(type));
  }
  const double v = type == ValueType::F32 ? static_cast<double>(load<float>(raw)) : load<double>(raw);
  if (!std::isfinite(v)) fail("{}: expected a finite number, found {}", where, v);
  return v;
}

float to_float(std::string_view where, ValueType type, std::span<const std::byte> raw) {
  const double v = to_double(where, type, raw);
  if (std::abs(v) > static_cast<double>(std::numeric_limits<float>::max())) {
    fail("{}: {} does not fit FLOAT32", where, v);
  }
  return static_cast<float>(v);
}

std::uint64_t to_integer(std::string_view where, ValueType type, std::span<const std::byte> raw, std::int64_t min,
                         std::uint64_t max) {
  const std::optional<Integer> found = integer_of(type, raw);
  if (!found) fail("{}: expected an integer, found {}", where, name(type));
  const auto [negative, magnitude] = *found;
  const Integer low = from_signed(min);
  const bool too_small =
      negative ? !low.negative || magnitude > low.magnitude : !low.negative && magnitude < low.magnitude;
  const bool too_big = !negative && magnitude > max;
  if ((too_small || too_big) && min >= 0 && static_cast<std::uint64_t>(min) == max) {
    fail("{}: expected {}, found {}{}", where, min, negative ? "-" : "", magnitude);
  }
  if (too_small || too_big) {
    fail("{}: expected an integer from {} to {}, found {}{}", where, min, max, negative ? "-" : "", magnitude);
  }
  return negative ? 0 - magnitude : magnitude;
}

std::string to_text(std::string_view where, const MetaValue& value) {
  if (value.type != ValueType::String) fail("{}: expected STRING, found {}", where, value.type_name());
  if (value.bytes() > most_text_bytes) {
    fail("{}: a text of {} bytes, expected at most {}", where, value.bytes(), most_text_bytes);
  }
  return std::string(text_of(value.read().raw));
}

void expect_string_array(std::string_view where, const MetaValue& value) {
  if (value.type != ValueType::Array || value.element != ValueType::String) {
    fail("{}: expected an array of STRING, found {}", where, value.type_name());
  }
}

void expect_number_array(std::string_view where, const MetaValue& value) {
  if (value.type != ValueType::Array || value.element == ValueType::String) {
    fail("{}: expected an array of numbers, found {}", where, value.type_name());
  }
}

}  // namespace detail

}  // namespace toy

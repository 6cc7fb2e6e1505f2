#include "toy/io/safetensors_header.h"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "toy/io/header_source.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

constexpr std::uint64_t most_header_bytes = 100'000'000;
constexpr std::uint64_t most_text_bytes = 1 << 20;  // of one string or number; bounds what the lexer holds
constexpr std::uint64_t most_kept_bytes = 4 << 20;  // of all names and metadata
constexpr std::size_t most_tensors = 1 << 15;

constexpr std::array types = {
    SafetensorsType{"F64", 8, DType::F64}, SafetensorsType{"F32", 4, DType::F32},
    SafetensorsType{"F16", 2, DType::F16}, SafetensorsType{"BF16", 2, DType::BF16},
    SafetensorsType{"I64", 8, DType::I64}, SafetensorsType{"I32", 4, DType::I32},
    SafetensorsType{"I16", 2, DType::I16}, SafetensorsType{"I8", 1, DType::I8},
    SafetensorsType{"U64", 8, {}},         SafetensorsType{"U32", 4, {}},
    SafetensorsType{"U16", 2, {}},         SafetensorsType{"U8", 1, {}},
    SafetensorsType{"BOOL", 1, {}},        SafetensorsType{"F8_E5M2", 1, {}},
    SafetensorsType{"F8_E4M3", 1, {}},
};

/// Gives the parser the header's letters, a window at a time, and stops it at a text of absurd length.
class Letters {
 public:
  explicit Letters(HeaderSource& in) : in_(in) {}

  bool at_end() {
    refill();
    return letters_.empty();
  }
  char current() {
    refill();
    return static_cast<char>(letters_.front());
  }
  void advance() {
    const char c = current();
    const bool ends_text = !escaped_ && (c == '"' || c == ',' || c == ':' || c == ' ');
    length_ = ends_text ? 0 : length_ + 1;
    escaped_ = !escaped_ && c == '\\';
    if (length_ > most_text_bytes) fail("{}: a text in the header exceeds {} bytes", in_.where(), most_text_bytes);
    letters_ = letters_.subspan(1);
  }

 private:
  void refill() {
    if (!letters_.empty() || in_.remaining() == 0) return;
    letters_ = in_.take(std::min<std::uint64_t>(in_.remaining(), in_.window_bytes()), "header");
  }

  HeaderSource& in_;
  std::span<const std::byte> letters_;
  std::uint64_t length_ = 0;
  bool escaped_ = false;
};

/// Input iterator over Letters, as the JSON parser wants it.
class LetterIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  LetterIterator() = default;
  explicit LetterIterator(Letters& letters) : letters_(&letters) {}
  char operator*() const { return letters_->current(); }
  LetterIterator& operator++() {
    letters_->advance();
    return *this;
  }
  LetterIterator operator++(int) {
    LetterIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const LetterIterator& a, const LetterIterator& b) { return a.done() == b.done(); }

 private:
  bool done() const { return letters_ == nullptr || letters_->at_end(); }
  Letters* letters_ = nullptr;
};

/// Receives the events of the JSON parser. The table has two levels of objects, and arrays inside the second.
class TableHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  TableHandler(std::string where, SafetensorsHeader& header) : where_(std::move(where)), header_(header) {}

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { unexpected("a fraction"); }
  bool binary(binary_t&) override { unexpected("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool start_object(std::size_t) override;
  bool key(string_t& key) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail("{}: the header is not valid JSON near its byte {}", where_, position);
  }

 private:
  [[noreturn]] void unexpected(std::string_view found) const {
    fail("{}: the header's entry {} has {} in {}", where_, in_quotes(name_), found, field_.empty() ? "it" : field_);
  }
  void keep(std::uint64_t bytes) {
    kept_bytes_ += bytes;
    if (kept_bytes_ > most_kept_bytes) fail("{}: names and metadata exceed {} bytes", where_, most_kept_bytes);
  }
  void finish_tensor();
  void check_shape(const SafetensorsType& type) const;

  std::string where_;
  SafetensorsHeader& header_;
  int depth_ = 0;
  bool in_metadata_ = false;
  bool in_array_ = false;
  std::string name_;
  std::string field_;
  bool seen_metadata_ = false;
  std::uint64_t kept_bytes_ = 0;
  std::set<std::string> fields_;
  SafeTensor tensor_;
  std::vector<std::int64_t> axes_;
  std::vector<std::uint64_t> range_;
};

bool TableHandler::number_unsigned(number_unsigned_t value) {
  if (!in_array_) unexpected("a number");
  if (field_ == "data_offsets") {
    if (range_.size() == 2) unexpected("more than two numbers");
    range_.push_back(value);
    return true;
  }
  if (axes_.size() == Shape::max_rank)
    fail("{}: tensor {}: more than {} axes", where_, in_quotes(name_), Shape::max_rank);
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    unexpected("an axis above 2^63 - 1");
  axes_.push_back(static_cast<std::int64_t>(value));
  return true;
}

bool TableHandler::string(string_t& value) {
  if (depth_ != 2 || in_array_) unexpected("a text");
  if (in_metadata_) {
    keep(field_.size() + value.size());
    header_.metadata[field_] = std::move(value);
  } else if (field_ == "dtype") {
    tensor_.type = std::move(value);
  } else {
    unexpected("a text");
  }
  return true;
}

bool TableHandler::start_object(std::size_t) {
  if (depth_ == 2) unexpected("an object");
  if (depth_ == 1) {
    in_metadata_ = name_ == "__metadata__";
    if (in_metadata_ && std::exchange(seen_metadata_, true)) unexpected("a second table");
    tensor_ = {};
    axes_.clear();
    range_.clear();
    fields_.clear();
  }
  ++depth_;
  return true;
}

bool TableHandler::key(string_t& key) {
  if (depth_ == 1) {
    name_ = std::move(key);
    field_.clear();
    keep(name_.size());
    if (header_.tensors.size() == most_tensors) fail("{}: more than {} tensors", where_, most_tensors);
    return true;
  }
  field_ = std::move(key);
  if (!fields_.insert(field_).second) unexpected("the same key twice");
  if (!in_metadata_ && field_ != "dtype" && field_ != "shape" && field_ != "data_offsets") {
    fail("{}: tensor {}: unknown key {} in the header", where_, in_quotes(name_), in_quotes(field_));
  }
  return true;
}

bool TableHandler::start_array(std::size_t) {
  if (depth_ != 2 || in_array_ || in_metadata_ || field_ == "dtype") unexpected("an array");
  in_array_ = true;
  return true;
}

bool TableHandler::end_array() {
  in_array_ = false;
  return true;
}

bool TableHandler::end_object() {
  if (depth_ == 2 && !in_metadata_) finish_tensor();
  --depth_;
  return true;
}

void TableHandler::finish_tensor() {
  const SafetensorsType* type = safetensors_type(tensor_.type);
  if (fields_.size() != 3 || range_.size() != 2) {
    fail("{}: tensor {}: expected dtype, shape and two data_offsets", where_, in_quotes(name_));
  }
  if (type == nullptr) fail("{}: tensor {}: unknown type {}", where_, in_quotes(name_), in_quotes(tensor_.type));
  if (range_[0] > range_[1]) {
    fail("{}: tensor {}: data_offsets end at {} before they begin at {}", where_, in_quotes(name_), range_[1],
         range_[0]);
  }
  check_shape(*type);
  tensor_.name = name_;
  tensor_.dtype = type->dtype;
  tensor_.shape = Shape(axes_);
  tensor_.offset = range_[0];
  tensor_.bytes = range_[1] - range_[0];
  header_.tensors.push_back(std::move(tensor_));
}

void TableHandler::check_shape(const SafetensorsType& type) const {
  // An axis of length 0 counts as 1 here: no product of some of the axes may overflow either.
  std::int64_t bytes = type.bytes;
  bool overflow = false;
  for (const std::int64_t axis : axes_) {
    overflow = overflow || __builtin_mul_overflow(bytes, std::max<std::int64_t>(axis, 1), &bytes);
  }
  if (overflow) fail("{}: tensor {}: shape {} overflows", where_, in_quotes(name_), axes_);
  const auto expected = std::ranges::find(axes_, 0) == axes_.end() ? static_cast<std::uint64_t>(bytes) : 0;
  if (range_[1] - range_[0] != expected) {
    fail("{}: tensor {}: {} of shape {} takes {} bytes, its data_offsets span {}", where_, in_quotes(name_), type.name,
         Shape(axes_).str(), expected, range_[1] - range_[0]);
  }
}

void check_names(const SafetensorsHeader& header, std::string_view where) {
  std::set<std::string_view> seen;
  for (const SafeTensor& t : header.tensors) {
    if (!seen.insert(t.name).second) fail("{}: tensor {} occurs twice", where, in_quotes(t.name));
  }
}

/// Sorts by offset; fails unless the tensors cover the data exactly.
void check_layout(SafetensorsHeader& header, std::uint64_t data_bytes, std::string_view where) {
  std::ranges::sort(header.tensors, [](const SafeTensor& a, const SafeTensor& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  std::uint64_t end = 0;
  for (const SafeTensor& t : header.tensors) {
    if (t.offset != end) {
      fail("{}: tensor {} begins at byte {} of the data, expected {}: {}", where, in_quotes(t.name), t.offset, end,
           t.offset < end ? "it overlaps another" : "there is a gap");
    }
    if (t.bytes > data_bytes - end) {
      fail("{}: truncated: tensor {} ends at byte {} of the data, which has {}", where, in_quotes(t.name),
           t.offset + t.bytes, data_bytes);
    }
    end += t.bytes;
  }
  if (end != data_bytes) fail("{}: the tensors take {} bytes, the file has {} of data", where, end, data_bytes);
}

}  // namespace

const SafetensorsType* safetensors_type(std::string_view name) {
  const auto found = std::ranges::find(types, name, &SafetensorsType::name);
  return found == types.end() ? nullptr : &*found;
}

const SafetensorsType* safetensors_type(DType dtype) {
  const auto found = std::ranges::find(types, std::optional(dtype), &SafetensorsType::dtype);
  return found == types.end() ? nullptr : &*found;
}

SafetensorsHeader read_safetensors_header(const InputFile& file) {
  const std::string where = shown(file.path());
  std::uint64_t header_bytes = 0;
  if (file.size() < sizeof(header_bytes)) fail("{}: not a safetensors file: it has {} bytes", where, file.size());
  file.read_at(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
  if (header_bytes > file.size() - 8 || header_bytes > most_header_bytes) {
    fail("{}: not a safetensors file, or truncated: a header of {} bytes announced, {} follow and {} are allowed",
         where, header_bytes, file.size() - 8, most_header_bytes);
  }
  HeaderSource in(file, 8 + header_bytes, 64 * 1024);
  in.skip(8, "length of the header");
  Letters letters(in);
  if (letters.at_end() || letters.current() != '{') fail("{}: not a safetensors file: no table at its start", where);
  SafetensorsHeader header;
  TableHandler handler(where, header);
  nlohmann::json::sax_parse(LetterIterator(letters), LetterIterator(), &handler);
  check_names(header, where);
  check_layout(header, file.size() - 8 - header_bytes, where);
  for (SafeTensor& t : header.tensors) t.offset += 8 + header_bytes;
  return header;
}

}  // namespace toy

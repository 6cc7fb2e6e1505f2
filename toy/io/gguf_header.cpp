#include "toy/io/gguf_header.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>

#include "toy/io/gguf_types.h"
#include "toy/io/header_source.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

constexpr std::uint64_t least_key_bytes = 8 + 1 + 4 + 1;         // length, one letter, type, one byte
constexpr std::uint64_t least_tensor_bytes = 8 + 1 + 4 + 4 + 8;  // length, one letter, axes, type, offset
constexpr std::size_t window_bytes = 256 * 1024;

/// Names in little memory, to find one that occurs twice.
class NameList {
 public:
  void add(std::string_view name) {
    starts_.push_back(static_cast<std::uint32_t>(text_.size()));
    text_ += name;
  }
  std::size_t bytes() const { return text_.size(); }
  std::string_view operator[](std::size_t i) const {
    const std::size_t end = i + 1 < starts_.size() ? starts_[i + 1] : text_.size();
    return std::string_view(text_).substr(starts_[i], end - starts_[i]);
  }
  std::optional<std::string_view> duplicate() const {
    std::vector<std::uint32_t> order(starts_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, [this](auto a, auto b) { return (*this)[a] < (*this)[b]; });
    const auto same = std::ranges::adjacent_find(order, [this](auto a, auto b) { return (*this)[a] == (*this)[b]; });
    if (same == order.end()) return std::nullopt;
    return (*this)[*same];
  }

 private:
  std::string text_;
  std::vector<std::uint32_t> starts_;
};

/// Where a tensor lies in the data section.
struct Extent {
  std::uint64_t offset;
  std::uint64_t bytes;
  std::uint32_t tensor;
};

/// One pass over a header. With `keep` it builds metadata and tensors, else it only checks.
class HeaderParser {
 public:
  HeaderParser(HeaderSource& in, std::shared_ptr<const InputFile> file, bool require_data, bool keep)
      : in_(in), file_(std::move(file)), file_size_(file_->size()), require_data_(require_data), keep_(keep) {
    header_.metadata = Metadata(in.where());
  }

  /// `header_end` receives the position after the table of tensors.
  GgufHeader parse(std::uint64_t& header_end) {
    read_preamble();
    for (std::uint64_t i = 0; i < key_count_; ++i) read_key(i);
    if (const auto twice = keys_.duplicate()) fail("{}: key {} occurs twice", where(), in_quotes(*twice));
    if (keep_) header_.tensors.reserve(tensor_count_);
    for (std::uint64_t i = 0; i < tensor_count_; ++i) read_tensor(i);
    if (const auto twice = names_.duplicate()) fail("{}: tensor {} occurs twice", where(), in_quotes(*twice));
    header_end = in_.position();
    check_data(header_end);
    return std::move(header_);
  }

 private:
  const std::string& where() const { return in_.where(); }

  void read_preamble();
  std::uint64_t read_count(std::string_view what, std::uint64_t least_bytes, std::uint64_t limit);
  std::string_view read_name(std::string_view what, std::uint64_t limit);
  void read_key(std::uint64_t number);
  ValueType read_type(std::string_view key, std::string_view what);
  MetaValue read_value(std::string_view key);
  void read_array_type(std::string_view key, MetaValue& value);
  void skip_array(std::string_view key, const MetaValue& value);
  void read_alignment(const MetaValue& value);
  void read_tensor(std::uint64_t number);
  std::vector<std::int64_t> read_axes(std::string_view name);
  std::uint64_t bytes_of_tensor(std::string_view name, std::span<const std::int64_t> ne, DType dtype) const;
  void check_data(std::uint64_t header_end);
  void check_overlap();

  HeaderSource& in_;
  std::shared_ptr<const InputFile> file_;
  std::uint64_t file_size_;
  bool require_data_;
  bool keep_;
  std::uint64_t key_count_ = 0;
  std::uint64_t tensor_count_ = 0;
  NameList keys_;
  NameList names_;
  std::vector<Extent> extents_;
  GgufHeader header_;
};

void HeaderParser::read_preamble() {
  if (in_.remaining() < 4 || std::memcmp(in_.take(4, "magic").data(), "GGUF", 4) != 0) {
    fail("{}: not a GGUF file: it does not begin with the letters GGUF", where());
  }
  const auto version = in_.number<std::uint32_t>("version");
  if (version != 0 && (version & 0xFFFF) == 0) {
    fail("{}: big-endian GGUF file, expected little-endian: convert it first", where());
  }
  if (version != 2 && version != 3) fail("{}: GGUF version {}, expected 2 or 3", where(), version);
  header_.version = version;
  tensor_count_ = read_count("tensors", least_tensor_bytes, GgufLimits::tensors);
  key_count_ = read_count("keys", least_key_bytes, GgufLimits::keys);
}

std::uint64_t HeaderParser::read_count(std::string_view what, std::uint64_t least_bytes, std::uint64_t limit) {
  const auto count = in_.number<std::uint64_t>(what);
  if (count > in_.remaining() / least_bytes) {
    fail("{}: {} {} announced, but the file has room for {}", where(), count, what, in_.remaining() / least_bytes);
  }
  if (count > limit) fail("{}: {} {} announced, expected at most {}", where(), count, what, limit);
  return count;
}

std::string_view HeaderParser::read_name(std::string_view what, std::uint64_t limit) {
  const auto length = in_.number<std::uint64_t>(what);
  if (length == 0 || length > limit) {
    fail("{}: {} of {} bytes at byte {}, expected 1 to {}", where(), what, length, in_.position(), limit);
  }
  const auto bytes = in_.take(length, what);
  const std::string_view name(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (name.find('\0') != name.npos) fail("{}: {} {} has a NUL byte", where(), what, in_quotes(name));
  return name;
}

void HeaderParser::read_key(std::uint64_t number) {
  keys_.add(read_name("key", 65535));
  if (keys_.bytes() > GgufLimits::key_bytes) {
    fail("{}: the keys take more than {} bytes together", where(), GgufLimits::key_bytes);
  }
  const std::string key(keys_[number]);
  MetaValue value = read_value(key);
  if (keep_) header_.metadata.set_value(key, std::move(value));
}

ValueType HeaderParser::read_type(std::string_view key, std::string_view what) {
  const auto type = in_.number<std::uint32_t>(what);
  if (type >= value_type_count) {
    fail("{}: key {}: unknown {} {}, expected 0 to {}", where(), in_quotes(key), what, type, value_type_count - 1);
  }
  return static_cast<ValueType>(type);
}

MetaValue HeaderParser::read_value(std::string_view key) {
  MetaValue value;
  value.type = read_type(key, "value type");
  if (value.type == ValueType::Array) read_array_type(key, value);
  const std::uint64_t length =
      value.type == ValueType::String ? in_.number<std::uint64_t>("length of a string") : bytes_of(value.type);
  const std::uint64_t first = in_.position();
  if (value.type == ValueType::Array) {
    skip_array(key, value);
  } else {
    in_.skip(length, value.type == ValueType::String ? "string" : "number");
  }
  value.unread = {file_, first, in_.position() - first};
  if (key == "general.alignment") read_alignment(value);
  return keep_ && value.bytes() <= GgufLimits::value_bytes ? value.read() : value;
}

void HeaderParser::read_array_type(std::string_view key, MetaValue& value) {
  value.element = read_type(key, "element type");
  if (value.element == ValueType::Array)
    fail("{}: key {}: arrays of arrays are not supported", where(), in_quotes(key));
  value.count = in_.number<std::uint64_t>("length of an array");
  const std::uint64_t least_bytes = value.element == ValueType::String ? 8 : bytes_of(value.element);
  if (value.count > in_.remaining() / least_bytes) {
    fail("{}: key {}: array of {} {} announced, but the file has room for {}", where(), in_quotes(key), value.count,
         name(value.element), in_.remaining() / least_bytes);
  }
}

void HeaderParser::skip_array(std::string_view key, const MetaValue& value) {
  if (value.element != ValueType::String) return in_.skip(value.count * bytes_of(value.element), "array");
  for (std::uint64_t i = 0; i < value.count; ++i) {
    const auto length = in_.number<std::uint64_t>("length of a string");
    if (length > in_.remaining()) {
      fail("{}: key {}: string {} of {} takes {} bytes, but {} remain", where(), in_quotes(key), i, value.count, length,
           in_.remaining());
    }
    in_.skip(length, "string");
  }
}

void HeaderParser::read_alignment(const MetaValue& value) {
  if (value.type != ValueType::U32) {
    fail("{}: key general.alignment: expected UINT32, found {}", where(), value.type_name());
  }
  std::memcpy(&header_.alignment, value.read().raw.data(), sizeof(header_.alignment));
  if (!std::has_single_bit(header_.alignment) || header_.alignment > GgufLimits::alignment) {
    fail("{}: key general.alignment: expected a power of two up to {}, found {}", where(), GgufLimits::alignment,
         header_.alignment);
  }
}

std::vector<std::int64_t> HeaderParser::read_axes(std::string_view name) {
  const auto rank = in_.number<std::uint32_t>("number of axes");
  if (rank > Shape::max_rank) {
    fail("{}: tensor {} has {} axes, expected at most {}", where(), in_quotes(name), rank, Shape::max_rank);
  }
  std::vector<std::int64_t> ne;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const auto length = in_.number<std::uint64_t>("length of an axis");
    if (length > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fail("{}: tensor {}: axis {} has length {}, expected at most 2^63 - 1", where(), in_quotes(name), i, length);
    }
    ne.push_back(static_cast<std::int64_t>(length));
  }
  return ne;
}

std::uint64_t HeaderParser::bytes_of_tensor(std::string_view name, std::span<const std::int64_t> ne,
                                            DType dtype) const {
  const std::int64_t row = ne.empty() ? 1 : ne[0];
  const DTypeInfo& type = info(dtype);
  if (row % type.block_elements != 0) {
    fail("{}: tensor {}: rows of {} elements, expected a multiple of {} for {}", where(), in_quotes(name), row,
         type.block_elements, type.name);
  }
  // An axis of length 0 counts as 1 here: no product of some of the axes may overflow either.
  std::int64_t bytes = type.block_bytes;
  bool overflow = __builtin_mul_overflow(bytes, std::max<std::int64_t>(row / type.block_elements, 1), &bytes);
  for (std::size_t i = 1; i < ne.size() && !overflow; ++i) {
    overflow = __builtin_mul_overflow(bytes, std::max<std::int64_t>(ne[i], 1), &bytes);
  }
  std::int64_t elements = 1;
  for (std::size_t i = 0; i < ne.size() && !overflow; ++i) {
    overflow = __builtin_mul_overflow(elements, std::max<std::int64_t>(ne[i], 1), &elements);
  }
  if (overflow) fail("{}: tensor {}: its axes {} overflow the size of a file", where(), in_quotes(name), ne);
  return std::ranges::find(ne, 0) == ne.end() ? static_cast<std::uint64_t>(bytes) : 0;
}

void HeaderParser::read_tensor(std::uint64_t number) {
  names_.add(read_name("tensor name", GgufLimits::name_bytes));
  const std::string name(names_[number]);
  std::vector<std::int64_t> ne = read_axes(name);
  const DType dtype = dtype_of_gguf(in_.number<std::uint32_t>("tensor type"), name, where());
  const std::uint64_t bytes = bytes_of_tensor(name, ne, dtype);
  const auto offset = in_.number<std::uint64_t>("tensor offset");
  if (offset % header_.alignment != 0) {
    fail("{}: tensor {}: offset {}, expected a multiple of the alignment {}", where(), in_quotes(name), offset,
         header_.alignment);
  }
  extents_.push_back({offset, bytes, static_cast<std::uint32_t>(number)});
  if (!keep_) return;
  TensorInfo tensor{.name = name, .dtype = dtype, .offset = offset, .bytes = bytes};
  std::ranges::reverse(ne);
  tensor.stored_shape = Shape(ne);
  while (ne.size() > 1 && ne.front() == 1) ne.erase(ne.begin());
  if (ne.empty()) ne.push_back(1);
  tensor.shape = Shape(ne);
  header_.tensors.push_back(std::move(tensor));
}

void HeaderParser::check_data(std::uint64_t header_end) {
  header_.data_start = header_end;
  if (tensor_count_ == 0) return;
  header_.data_start = (header_end + header_.alignment - 1) / header_.alignment * header_.alignment;
  const std::uint64_t data_start = header_.data_start;
  if (data_start > file_size_ && require_data_) {
    fail("{}: truncated: tensor data begins at byte {}, the file has {}", where(), data_start, file_size_);
  }
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::uint64_t available = file_size_ > data_start ? file_size_ - data_start : 0;
  for (const Extent& e : extents_) {
    if (e.offset > most - data_start || e.bytes > most - data_start - e.offset) {
      fail("{}: tensor {}: offset {} and {} bytes overflow the size of a file", where(), in_quotes(names_[e.tensor]),
           e.offset, e.bytes);
    }
    if (e.offset <= available && e.bytes <= available - e.offset) continue;
    if (require_data_) {
      fail("{}: truncated: tensor {} takes {} bytes from byte {}, the file has {}", where(),
           in_quotes(names_[e.tensor]), e.bytes, data_start + e.offset, file_size_);
    }
    header_.missing_bytes = std::max(header_.missing_bytes, e.offset + e.bytes - available);
  }
  check_overlap();
  for (TensorInfo& t : header_.tensors) t.offset += data_start;
}

void HeaderParser::check_overlap() {
  std::erase_if(extents_, [](const Extent& e) { return e.bytes == 0; });
  std::ranges::sort(extents_, {}, &Extent::offset);
  const auto overlap = std::ranges::adjacent_find(
      extents_, [](const Extent& a, const Extent& b) { return b.offset < a.offset + a.bytes; });
  if (overlap == extents_.end()) return;
  fail("{}: tensors {} and {} overlap", where(), in_quotes(names_[overlap->tensor]),
       in_quotes(names_[(overlap + 1)->tensor]));
}

}  // namespace

GgufHeader read_gguf_header(const std::shared_ptr<const InputFile>& file, bool require_data) {
  std::uint64_t end = 0;
  HeaderSource check(*file, std::min(file->size(), GgufLimits::header_bytes), window_bytes);
  HeaderParser(check, file, require_data, false).parse(end);
  HeaderSource build(*file, end, window_bytes);
  return HeaderParser(build, file, require_data, true).parse(end);
}

}  // namespace toy

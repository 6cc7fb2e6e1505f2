#include "tests/io/gguf_mutator.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <stdexcept>

#include "toy/io/gguf.h"
#include "toy/tensor/error.h"

#include "tests/io/raw_gguf.h"

namespace toy::testing {

namespace {

constexpr std::array<std::size_t, 13> value_bytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

std::size_t below(Random& random, std::size_t n) { return n == 0 ? 0 : random() % n; }

/// Walks a header and notes its fields; stops at the first that does not fit.
class Mapper {
 public:
  explicit Mapper(std::string_view bytes) : bytes_(bytes) {}

  HeaderMap run() {
    at_ = 4;
    const auto tensor_count = field(FieldKind::version, 4) ? field(FieldKind::count, 8) : std::nullopt;
    const auto key_count = tensor_count ? field(FieldKind::count, 8) : std::nullopt;
    if (!key_count) return map_;
    bool fits = true;
    for (std::uint64_t i = 0; i < *key_count && fits; ++i) fits = entry(true);
    for (std::uint64_t i = 0; i < *tensor_count && fits; ++i) fits = entry(false);
    return map_;
  }

 private:
  std::optional<std::uint64_t> field(FieldKind kind, std::size_t size) {
    if (at_ > bytes_.size() || size > bytes_.size() - at_) return std::nullopt;
    map_.fields.push_back({kind, at_, size});
    std::uint64_t value = 0;
    std::memcpy(&value, bytes_.data() + at_, std::min<std::size_t>(size, 8));
    at_ += size;
    return value;
  }
  bool text() {
    const auto length = field(FieldKind::length, 8);
    return length && field(FieldKind::text, *length);
  }
  bool entry(bool is_key) {
    const std::size_t start = at_;
    if (!text() || !(is_key ? value() : table_row())) return false;
    map_.entries.push_back({is_key, start, at_});
    return true;
  }
  bool value() {
    const auto type = field(FieldKind::type, 4);
    if (!type || *type >= value_bytes.size()) return false;
    if (*type == kv::string) return text();
    if (*type != kv::array) return field(FieldKind::number, value_bytes[*type]).has_value();
    const auto element = field(FieldKind::type, 4);
    const auto count = element ? field(FieldKind::length, 8) : std::nullopt;
    if (!count || *element >= value_bytes.size() || *element == kv::array) return false;
    if (*element != kv::string) {
      return *count <= bytes_.size() && field(FieldKind::array, *count * value_bytes[*element]).has_value();
    }
    bool fits = true;
    for (std::uint64_t i = 0; i < *count && fits; ++i) fits = text();
    return fits;
  }
  bool table_row() {
    const auto rank = field(FieldKind::rank, 4);
    bool fits = rank && *rank <= 16;
    for (std::uint64_t i = 0; fits && i < *rank; ++i) fits = field(FieldKind::axis, 8).has_value();
    return fits && field(FieldKind::type, 4) && field(FieldKind::offset, 8);
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  HeaderMap map_;
};

std::string random_text(Random& random, std::size_t most) {
  std::string text(below(random, most + 1), '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string random_key(Random& random, std::size_t number) {
  const std::string key = "key." + std::to_string(number);
  const auto type = static_cast<std::uint32_t>(below(random, value_bytes.size()));
  if (type == kv::string) return raw_key(key, type, raw_text(random_text(random, 20)));
  if (type != kv::array) {
    std::string value = random_text(random, 0);
    for (std::size_t i = 0; i < value_bytes[type]; ++i) value += static_cast<char>(random());
    return raw_key(key, type, value);
  }
  auto element = static_cast<std::uint32_t>(below(random, value_bytes.size()));
  if (element == kv::array) element = kv::string;
  const std::size_t count = below(random, 6);
  std::string elements;
  for (std::size_t i = 0; i < count; ++i) {
    if (element == kv::string) elements += raw_text(random_text(random, 8));
    for (std::size_t j = 0; j < value_bytes[element]; ++j) elements += static_cast<char>(random());
  }
  return raw_array(key, element, count, elements);
}

struct BlockType {
  std::uint32_t id;
  std::uint64_t elements;
  std::uint64_t bytes;
};

constexpr std::array block_types = {
    BlockType{ggml::f32, 1, 4},    BlockType{ggml::f16, 1, 2},      BlockType{ggml::q4_0, 32, 18},
    BlockType{ggml::q8_0, 32, 34}, BlockType{ggml::q6_k, 256, 210}, BlockType{ggml::bf16, 1, 2},
};

void add_random_tensor(RawGguf& file, Random& random) {
  const BlockType type = block_types[below(random, block_types.size())];
  std::vector<std::uint64_t> ne = {(1 + below(random, 3)) * type.elements};
  std::uint64_t bytes = ne[0] / type.elements * type.bytes;
  for (std::size_t more = below(random, 4); more > 0; --more) {
    ne.push_back(below(random, 8) == 0 ? 0 : 1 + below(random, 3));
    bytes *= ne.back();
  }
  file.tensors.push_back(
      raw_tensor("blk." + std::to_string(file.tensors.size()) + ".weight", ne, type.id, file.data.size()));
  file.data.resize((file.data.size() + bytes + file.alignment - 1) / file.alignment * file.alignment, 'd');
}

std::uint64_t interesting(Random& random, std::uint64_t old, std::size_t file_size) {
  const std::vector<std::uint64_t> values = {0,
                                             1,
                                             ~0ULL,
                                             1ULL << 31,
                                             1ULL << 32,
                                             (1ULL << 63) - 1,
                                             1ULL << 63,
                                             0x7FFFFFFFFFFFFFC0,
                                             (1ULL << 42) + 1,
                                             old + 1,
                                             old - 1,
                                             old * 2,
                                             old + 32,
                                             file_size,
                                             file_size - old,
                                             old ^ (1ULL << (random() % 64)),
                                             random() % 64,
                                             random() % (file_size + 1),
                                             random()};
  return values[below(random, values.size())];
}

void overwrite(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  std::memcpy(bytes.data() + at, &value, std::min<std::size_t>(size, 8));
}

void change_field(std::string& bytes, const Field& field, Random& random) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + field.start, std::min<std::size_t>(field.bytes, 8));
  switch (field.kind) {
    case FieldKind::type:
    case FieldKind::version:
    case FieldKind::rank:
      value = below(random, 2) == 0 ? random() % 48 : interesting(random, value, bytes.size());
      break;
    default:
      value = interesting(random, value, bytes.size());
  }
  overwrite(bytes, field.start, value, field.bytes);
}

/// Gives a text other bytes of another length, with the right length before it.
void change_text(std::string& bytes, const Field& field, Random& random) {
  static constexpr std::array<std::string_view, 7> names = {
      "general.alignment", "split.count", "split.no", "split.tensors.count", "key.0", "blk.0.weight", ""};
  const std::string text =
      below(random, 2) == 0 ? std::string(names[below(random, names.size())]) : random_text(random, 80);
  bytes.replace(field.start, field.bytes, text);
  overwrite(bytes, field.start - 8, text.size(), 8);
}

void add_to_count(std::string& bytes, bool is_key, std::uint64_t change) {
  const std::size_t at = is_key ? 16 : 8;
  std::uint64_t count = 0;
  std::memcpy(&count, bytes.data() + at, 8);
  overwrite(bytes, at, count + change, 8);
}

/// Repeats, removes or replaces a whole entry; the count mostly follows.
void change_entry(std::string& bytes, const HeaderMap& map, Random& random) {
  const HeaderEntry entry = map.entries[below(random, map.entries.size())];
  const HeaderEntry other = map.entries[below(random, map.entries.size())];
  const std::string copy = bytes.substr(other.start, other.end - other.start);
  const std::size_t choice = below(random, 4);
  if (choice == 0) {
    bytes.erase(entry.start, entry.end - entry.start);
    if (below(random, 4) != 0) add_to_count(bytes, entry.is_key, ~std::uint64_t{0});
  } else if (choice == 1) {
    bytes.insert(entry.start, copy);
    if (below(random, 4) != 0) add_to_count(bytes, entry.is_key, 1);
  } else if (choice == 2) {
    bytes.replace(entry.start, entry.end - entry.start, copy);
  } else {
    constexpr std::array<std::uint32_t, 8> alignments = {0, 1, 3, 8, 64, 1U << 20, 1U << 31, 0xFFFFFFFF};
    bytes.insert(24, raw_key("general.alignment", below(random, 8) == 0 ? kv::i32 : kv::u32,
                             raw(alignments[below(random, alignments.size())])));
    add_to_count(bytes, true, 1);
  }
}

void change_bytes(std::string& bytes, Random& random) {
  switch (below(random, 4)) {
    case 0:
      bytes.resize(below(random, bytes.size()));
      break;
    case 1:
      bytes.append(below(random, 200), '\0');
      break;
    case 2:
      bytes.insert(below(random, bytes.size()), random_text(random, 12));
      break;
    default:
      if (!bytes.empty()) bytes[below(random, bytes.size())] = static_cast<char>(random());
  }
}

void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

template <class T>
void try_number(const Metadata& metadata, const std::string& key) {
  try {
    static_cast<void>(metadata.get<T>(key));
  } catch (const Error&) {  // a value that does not convert
  }
}

void read_value(const Metadata& metadata, const Metadata::Entry& entry) {
  try_number<bool>(metadata, entry.key);
  try_number<std::int8_t>(metadata, entry.key);
  try_number<std::uint64_t>(metadata, entry.key);
  try_number<float>(metadata, entry.key);
  try_number<std::string>(metadata, entry.key);
  if (entry.value.type != ValueType::Array) return;
  if (entry.value.element == ValueType::String) {
    const auto strings = metadata.get<StringArray>(entry.key);
    std::size_t total = 0;
    for (std::size_t i = 0; i < strings.size(); ++i) total += strings[i].size() + 8;
    require(total == entry.value.bytes(), "string array: texts do not add up");
    return;
  }
  const auto numbers = metadata.get<NumberArray>(entry.key);
  require(numbers.size() * bytes_of(numbers.element_type()) == entry.value.bytes(), "array: size");
  try {
    static_cast<void>(numbers.to_vector<double>());
  } catch (const Error&) {  // not floating-point, or not finite
  }
  try {
    static_cast<void>(numbers.to_vector<std::int32_t>());
  } catch (const Error&) {  // not integers, or out of range
  }
}

void read_tensors(const GgufFile& model) {
  unsigned sum = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const TensorInfo& t : model.tensors()) {
    require(model.find(t.name) == &t, "tensor is not found by its name");
    require(t.offset + t.bytes <= model.file_bytes(), "tensor ends after the file");
    require(t.shape.rank() >= 1 && t.shape.elements() >= 0, "tensor's shape");
    require(static_cast<std::uint64_t>(toy::bytes_of(t.dtype, t.shape.elements())) == t.bytes, "tensor's bytes");
    for (const std::byte b : model.data(t)) sum += static_cast<unsigned>(b);
    if (t.bytes > 0) ranges.emplace_back(t.offset, t.offset + t.bytes);
  }
  std::ranges::sort(ranges);
  for (std::size_t i = 1; i < ranges.size(); ++i) require(ranges[i - 1].second <= ranges[i].first, "tensors overlap");
  [[maybe_unused]] const volatile unsigned kept = sum;  // so that the reads happen
}

}  // namespace

HeaderMap map_header(std::string_view bytes) { return Mapper(bytes).run(); }

std::string random_gguf(Random& random) {
  RawGguf file;
  file.version = 2 + static_cast<std::uint32_t>(below(random, 2));
  if (below(random, 4) == 0) {
    file.alignment = std::uint64_t{1} << below(random, 8);
    file.keys.push_back(raw_key("general.alignment", kv::u32, raw(static_cast<std::uint32_t>(file.alignment))));
  }
  const std::size_t keys = below(random, 10);
  for (std::size_t i = 0; i < keys; ++i) file.keys.push_back(random_key(random, i));
  const std::size_t tensors = below(random, 6);
  for (std::size_t i = 0; i < tensors; ++i) add_random_tensor(file, random);
  return file.str();
}

void mutate_gguf(std::string& bytes, Random& random) {
  const HeaderMap map = map_header(bytes);
  const std::size_t choice = below(random, 16);
  if (choice == 0 || map.fields.empty()) return change_bytes(bytes, random);
  if (choice <= 3 && !map.entries.empty()) return change_entry(bytes, map, random);
  const Field& field = map.fields[below(random, map.fields.size())];
  if (field.kind == FieldKind::text) return change_text(bytes, field, random);
  change_field(bytes, field, random);
}

bool read_everything(const std::filesystem::path& path) {
  try {
    const GgufFile model = GgufFile::open(path);
    for (const auto& entry : model.metadata().entries()) read_value(model.metadata(), entry);
    read_tensors(model);
    return true;
  } catch (const Error& e) {
    require(std::string_view(e.what()).find('\n') == std::string_view::npos, "message of more than one line");
    return false;
  }
}

}  // namespace toy::testing

// The hand-made files that llama.cpp's own test of its reader uses: 26 must be refused, 7 must load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "toy/io/gguf.h"

#include "tests/io/expect_error.h"
#include "tests/io/raw_gguf.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

std::uint64_t padded(std::uint64_t n, std::uint64_t alignment) { return (n + alignment - 1) / alignment * alignment; }

/// Keys of every scalar type and every array type.
RawGguf with_keys() {
  RawGguf file;
  const std::string bytes = "\x93\x21\xf4\x07\x55\xaa\x31\x62";
  const int sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  for (std::uint32_t type = kv::u8; type <= kv::f64; ++type) {
    const std::string key = "my_key_" + std::to_string(type);
    if (type == kv::array) continue;
    if (type == kv::string) {
      file.keys.push_back(raw_key(key, type, raw_text("some text")));
      file.keys.push_back(raw_array(key + "_array", type, 3, raw_text("a") + raw_text("") + raw_text("bcd")));
      continue;
    }
    const std::string value = bytes.substr(0, static_cast<std::size_t>(sizes[type]));
    file.keys.push_back(raw_key(key, type, value));
    file.keys.push_back(raw_array(key + "_array", type, 2, value + value));
    file.keys.push_back(raw_array(key + "_empty", type, 0, ""));
  }
  return file;
}

struct Tensor {
  std::uint32_t type;
  std::vector<std::uint64_t> ne;
  std::uint64_t bytes;
};

const std::vector<Tensor> some_tensors = {
    {ggml::f32, {5}, 20}, {ggml::f16, {3, 7}, 42},        {ggml::q8_0, {64, 2}, 136},  {ggml::q4_0, {32, 3, 2}, 108},
    {ggml::i8, {9}, 9},   {ggml::bf16, {2, 1, 1, 3}, 12}, {ggml::q6_k, {256, 2}, 420},
};

std::string name_of(std::size_t i) { return "my_tensor_" + std::to_string(i); }

RawGguf with_tensors(const std::vector<Tensor>& tensors = some_tensors, std::uint64_t alignment = 32) {
  RawGguf file = with_keys();
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    file.tensors.push_back(raw_tensor(name_of(i), tensors[i].ne, tensors[i].type, offset));
    offset += padded(tensors[i].bytes, alignment);
  }
  for (std::uint64_t i = 0; i < offset; ++i) file.data += static_cast<char>(i % 256);
  return file;
}

RawGguf with_alignment(RawGguf file, std::uint32_t alignment, std::uint32_t type = kv::u32) {
  file.keys.push_back(raw_key("general.alignment", type, raw(alignment)));
  file.alignment = alignment;
  return file;
}

/// The same for all tensors: axes, type, offset.
RawGguf with_axes(const std::vector<std::uint64_t>& ne, std::uint32_t type = ggml::i8, std::uint64_t offset = 0) {
  RawGguf file = with_keys();
  file.tensors = {raw_tensor("my_tensor_0", ne, type, offset)};
  file.data = std::string(64, 'd');
  return file;
}

RawGguf zero_dim() {
  std::vector<Tensor> tensors = some_tensors;
  for (Tensor& t : tensors) t = {t.type, {t.ne[0], 0}, 0};
  return with_tensors(tensors);
}

RawGguf changed(RawGguf file, const std::function<void(RawGguf&)>& change) {
  change(file);
  return file;
}

struct Case {
  std::string name;
  bool loads;
  RawGguf file;
  std::string message;  // part of the error
};

const std::uint64_t minus_one = ~std::uint64_t{0};
const std::uint64_t huge = 0x7FFFFFFFFFFFFFC0;

std::vector<Case> header_cases() {
  return {
      {"HEADER_BAD_MAGIC", false, {.magic = "FUGG"}, "letters GGUF"},
      {"HEADER_BAD_VERSION_0", false, {.version = 0}, "version 0"},
      {"HEADER_BAD_VERSION_1", false, {.version = 1}, "version 1"},
      {"HEADER_BAD_VERSION_FUTURE", false, {.version = 4}, "version 4"},
      {"HEADER_BAD_N_KV", false, {.key_count = minus_one}, "keys announced"},
      {"HEADER_BAD_N_TENSORS", false, {.tensor_count = minus_one}, "tensors announced"},
      {"HEADER_EMPTY", true, {}, ""},
  };
}

std::vector<Case> key_cases() {
  const RawGguf good = with_keys();
  return {
      {"KV_BAD_KEY_SIZE", false, changed(good, [](RawGguf& f) { f.keys[0].replace(0, 8, raw(minus_one)); }), "key of"},
      {"KV_EMPTY_KEY", false, changed(good, [](RawGguf& f) { f.keys[0] = raw_key("", kv::u8, "x"); }), "key of 0"},
      {"KV_BAD_TYPE", false, changed(good, [](RawGguf& f) { f.keys[0] = raw_key("my_key_0", 13, "x"); }), "type 13"},
      {"KV_DUPLICATE_KEY", false, changed(good, [](RawGguf& f) { f.keys.push_back(f.keys[3]); }), "occurs twice"},
      {"KV_BAD_ALIGN", false, with_alignment(good, 13), "general.alignment"},
      {"KV_WRONG_TYPE_ALIGN", false, with_alignment(good, 32, kv::i32), "expected UINT32, found INT32"},
      {"KV_RANDOM_KV", true, good, ""},
  };
}

std::vector<Case> tensor_cases() {
  const RawGguf good = with_tensors();
  const std::string long_name = name_of(0) + "_with_a_very_long_name_which_is_longer_than_what_is_allowed_for_tensors";
  return {
      {"TENSORS_BAD_NAME_SIZE", false,
       changed(good, [&](RawGguf& f) { f.tensors[0] = raw_tensor(long_name, {5}, ggml::f32, 0); }), "tensor name of"},
      {"TENSORS_BAD_N_DIMS", false, with_axes({1, 1, 1, 1, 1}), "5 axes"},
      {"TENSORS_BAD_SHAPE", false, with_axes({minus_one}), "axis 0"},
      {"TENSORS_ZERO_DIM", true, zero_dim(), ""},
      {"TENSORS_NE_TOO_BIG", false, with_axes({4ULL * 0x7FFFFFFF, 4ULL * 0x7FFFFFFF}), "overflow"},
      {"TENSORS_NBYTES_TOO_BIG", false, with_axes({1'533'916'892, 1'533'916'892}, 27), "overflow"},
      {"TENSORS_BAD_TYPE", false, with_axes({1}, 43), "unknown type 43"},
      {"TENSORS_BAD_OFFSET", false, with_axes({1}, ggml::i8, minus_one), "offset"},
      {"TENSORS_DUPLICATE_NAME", false,
       changed(good,
               [](RawGguf& f) {
                 f.tensors[1] = raw_tensor(name_of(0), {3, 7}, ggml::f16, 32);
               }),
       "occurs twice"},
      {"TENSORS_BAD_ALIGN", false, with_alignment(with_tensors(some_tensors, 13), 13), "power of two"},
      {"TENSORS_INCONSISTENT_ALIGN", false, with_tensors(some_tensors, 1), "multiple of the alignment"},
      {"TENSORS_SUCCESS", true, good, ""},
      {"TENSORS_CUSTOM_ALIGN", true, with_alignment(with_tensors(some_tensors, 1), 1), ""},
  };
}

std::vector<Case> data_cases() {
  const RawGguf good = with_tensors();
  RawGguf two_huge = with_axes({huge});
  two_huge.tensors.push_back(raw_tensor("my_tensor_1", {huge}, ggml::i8, huge));
  return {
      // The last byte of the last tensor: the padding after it may be missing.
      {"DATA_NOT_ENOUGH_DATA", false,
       changed(good, [](RawGguf& f) { f.data.resize(f.data.size() - (padded(420, 32) - 420) - 1); }), "truncated"},
      {"DATA_BAD_ALIGN", false, with_alignment(with_tensors(some_tensors, 13), 13), "power of two"},
      {"DATA_INCONSISTENT_ALIGN", false, with_tensors(some_tensors, 1), "multiple of the alignment"},
      {"DATA_MEM_SIZE_OVERFLOW", false, two_huge, "overflow"},
      {"DATA_SUCCESS", true, good, ""},
      {"DATA_CUSTOM_ALIGN", true, with_alignment(with_tensors(some_tensors, 1), 1), ""},
  };
}

std::vector<Case> all_cases() {
  std::vector<Case> cases = header_cases();
  for (const auto& more : {key_cases(), tensor_cases(), data_cases()}) {
    cases.insert(cases.end(), more.begin(), more.end());
  }
  return cases;
}

void expect_same_tensors(const GgufFile& model, const std::string& name) {
  ASSERT_EQ(model.tensors().size(), some_tensors.size()) << name;
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < some_tensors.size(); ++i) {
    const TensorInfo* t = model.find(name_of(i));
    ASSERT_NE(t, nullptr) << name;
    const auto bytes = model.data(*t);
    if (name == "TENSORS_ZERO_DIM") {
      EXPECT_EQ(t->shape, Shape({0, static_cast<std::int64_t>(some_tensors[i].ne[0])}));
      continue;
    }
    ASSERT_EQ(bytes.size(), some_tensors[i].bytes) << name;
    for (std::size_t j = 0; j < bytes.size(); ++j) {
      ASSERT_EQ(static_cast<unsigned>(bytes[j]), (offset + j) % 256) << name << ", tensor " << i;
    }
    offset += padded(some_tensors[i].bytes, model.alignment());
  }
}

TEST(GgufCases, TwentySixAreRefusedAndSevenLoad) {
  int refused = 0;
  int loaded = 0;
  for (const Case& c : all_cases()) {
    const MemoryFile file(c.file.str());
    if (c.loads) {
      const GgufFile model = GgufFile::open(file.path());
      EXPECT_EQ(model.metadata().size(), c.file.keys.size()) << c.name;
      if (!c.file.tensors.empty()) expect_same_tensors(model, c.name);
      ++loaded;
    } else {
      const std::string message = error_of([&] { GgufFile::open(file.path()); });
      EXPECT_THAT(message, ::testing::HasSubstr(c.message)) << c.name;
      ++refused;
    }
  }
  std::cout << "hand-made files: " << refused << " refused, " << loaded << " loaded\n";
  EXPECT_EQ(refused, 26);
  EXPECT_EQ(loaded, 7);
}

// The list's files of tables without data are read for the header alone.
TEST(GgufCases, TablesWithoutDataAreReadAsHeaders) {
  int refused = 0;
  int loaded = 0;
  for (Case c : tensor_cases()) {
    c.file.data.clear();
    const MemoryFile file(c.file.str());
    const OpenOptions header_only{.map = false, .require_data = false};
    if (c.loads) {
      const GgufFile model = GgufFile::open(file.path(), header_only);
      EXPECT_EQ(model.tensors().size(), some_tensors.size()) << c.name;
      EXPECT_EQ(model.missing_bytes() > 0, c.name != "TENSORS_ZERO_DIM") << c.name;
      ++loaded;
    } else {
      error_of([&] { GgufFile::open(file.path(), header_only); });
      ++refused;
    }
  }
  EXPECT_EQ(refused, 10);
  EXPECT_EQ(loaded, 3);
}

// A later addition to the list: 4 * 4 * (2^30 - 1) * (2^30 + 1) bytes are 2^64 - 16, which padding wraps to 0.
TEST(GgufCases, PaddingMustNotWrap) {
  const MemoryFile file(with_axes({4, 1'073'741'823, 1'073'741'825}, ggml::f32).str());
  EXPECT_THAT(error_of([&] { GgufFile::open(file.path()); }), ::testing::HasSubstr("overflow"));
}

}  // namespace
}  // namespace toy::testing

// Files that lie about themselves: each gets one line, none gets memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "toy/io/gguf.h"

#include "tests/io/expect_error.h"
#include "tests/io/raw_gguf.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& bytes) {
  const MemoryFile file(bytes);
  return error_of([&] { GgufFile::open(file.path()); });
}
std::string refusal(const RawGguf& file) { return refusal(file.str()); }

RawGguf with_key(const std::string& key) {
  RawGguf file = small_gguf();
  file.keys.push_back(key);
  return file;
}

RawGguf with_tensors(const std::vector<std::string>& tensors) {
  RawGguf file = small_gguf();
  file.tensors = tensors;
  return file;
}

RawGguf with_alignment(std::uint32_t alignment) {
  return with_key(raw_key("general.alignment", kv::u32, raw(alignment)));
}

const std::vector<std::uint64_t> absurd = {std::uint64_t{1} << 32, (std::uint64_t{1} << 63) - 1, ~std::uint64_t{0},
                                           std::uint64_t{1} << 63};

TEST(GgufHostile, EveryCountIsComparedWithTheFile) {
  for (const std::uint64_t n : absurd) {
    RawGguf file = small_gguf();
    file.tensor_count = n;
    EXPECT_THAT(refusal(file), HasSubstr("tensors announced"));
    file = small_gguf();
    file.key_count = n;
    EXPECT_THAT(refusal(file), HasSubstr("keys announced"));
    EXPECT_THAT(refusal(with_key(raw(n) + "key")), HasSubstr("key of"));
    EXPECT_THAT(refusal(with_key(raw_key("k", kv::string, raw(n) + "text"))), HasSubstr("string"));
    EXPECT_THAT(refusal(with_key(raw_array("k", kv::u8, n, "x"))), HasSubstr("array of"));
    EXPECT_THAT(refusal(with_key(raw_array("k", kv::f64, n, "x"))), HasSubstr("array of"));
    EXPECT_THAT(refusal(with_key(raw_array("k", kv::string, n, "x"))), HasSubstr("array of"));
    EXPECT_THAT(refusal(with_key(raw_array("k", kv::string, 2, raw_text("a") + raw(n)))), HasSubstr("string 1 of 2"));
    EXPECT_THAT(refusal(with_tensors({raw(n) + "name"})), HasSubstr("tensor name of"));
    refusal(with_tensors({raw_tensor("t", {n}, ggml::i8, 0)}));
    refusal(with_tensors({raw_tensor("t", {2, n}, ggml::i8, 0)}));
    refusal(with_tensors({raw_tensor("t", {n, n, n, n}, ggml::f32, 0)}));
    refusal(with_tensors({raw_tensor("t", {n, n, 0}, ggml::f32, 0)}));
    refusal(with_tensors({raw_tensor("t", {0, n, n}, ggml::f32, 0)}));
    refusal(with_tensors({raw_tensor("t", {1}, ggml::i8, n / 32 * 32)}));
  }
}

TEST(GgufHostile, TablesHaveBounds) {
  RawGguf file = small_gguf();
  file.data.resize(4 << 20);
  file.key_count = 4097;
  EXPECT_THAT(refusal(file), HasSubstr("4097 keys announced, expected at most 4096"));
  file.data.clear();
  file.key_count = 1000;
  EXPECT_THAT(refusal(file), HasSubstr("1000 keys announced, but the file has room for"));
  file.data.resize(4 << 20);
  file.key_count.reset();
  file.tensor_count = 16385;
  EXPECT_THAT(refusal(file), HasSubstr("16385 tensors announced, expected at most 16384"));
}

TEST(GgufHostile, SizesThatWrapAreRefused) {
  const std::uint64_t huge = 0x7FFFFFFFFFFFFFC0;
  EXPECT_THAT(refusal(with_tensors({raw_tensor("a", {huge}, ggml::i8, 0), raw_tensor("b", {huge}, ggml::i8, huge)})),
              HasSubstr("overflow"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("a", {(1ULL << 42) + 1, 1ULL << 20}, ggml::f32, 0)})),
              HasSubstr("overflow"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("a", {(1ULL << 42) + 1}, ggml::f32, 0)})), HasSubstr("truncated"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("a", {1ULL << 62, 1ULL << 62}, ggml::i8, 0)})), HasSubstr("overflow"));
}

TEST(GgufHostile, AlignmentIsAPowerOfTwoUpToOneMebibyte) {
  for (const std::uint32_t a : {0U, 3U, 13U, 1U << 21, 1U << 31, ~0U}) {
    EXPECT_THAT(refusal(with_alignment(a)), HasSubstr("key general.alignment: expected a power of two")) << a;
  }
  EXPECT_THAT(refusal(with_key(raw_key("general.alignment", kv::u64, raw(std::uint64_t{32})))),
              HasSubstr("expected UINT32, found UINT64"));
  EXPECT_THAT(refusal(with_key(raw_key("general.alignment", kv::string, raw_text("32")))), HasSubstr("found STRING"));
  EXPECT_THAT(refusal(with_key(raw_array("general.alignment", kv::u32, 1, raw(32)))), HasSubstr("found array of 1"));
}

TEST(GgufHostile, TensorsLieInTheFileAndApart) {
  EXPECT_THAT(refusal(with_tensors({raw_tensor("t", {8}, ggml::f32, 96)})), HasSubstr("truncated: tensor 't'"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("t", {32}, ggml::f32, 0)})), HasSubstr("takes 128 bytes"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("t", {8}, ggml::f32, 4)})), HasSubstr("multiple of the alignment 32"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("t", {1}, ggml::f32, ~31ULL)})), HasSubstr("overflow"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("t", {0}, ggml::f32, 0)}).header()), HasSubstr("tensor data begins"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("a", {9}, ggml::f32, 0), raw_tensor("b", {8}, ggml::f32, 32)})),
              HasSubstr("tensors 'a' and 'b' overlap"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("a", {4}, ggml::f32, 0), raw_tensor("b", {4}, ggml::f32, 0)})),
              HasSubstr("overlap"));
}

TEST(GgufHostile, NamesAreUniqueAndSane) {
  RawGguf file = small_gguf();
  file.keys.push_back(file.keys[0]);
  EXPECT_THAT(refusal(file), HasSubstr("key 'general.architecture' occurs twice"));
  EXPECT_THAT(refusal(with_key(raw_key("", kv::u8, "x"))), HasSubstr("key of 0 bytes"));
  EXPECT_THAT(refusal(with_key(raw_key(std::string(65536, 'k'), kv::u8, "x"))), HasSubstr("key of 65536 bytes"));
  EXPECT_THAT(refusal(with_key(raw_key(std::string("a\0b", 3), kv::u8, "x"))), HasSubstr("'a\\x00b' has a NUL byte"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("t", {1}, ggml::f32, 0), raw_tensor("t", {1}, ggml::f32, 32)})),
              HasSubstr("tensor 't' occurs twice"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("", {1}, ggml::f32, 0)})), HasSubstr("tensor name of 0 bytes"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("\x1b[2J\n", {1}, 99, 0)})), HasSubstr("'\\x1b[2J\\x0a'"));
  const MemoryFile longest(with_tensors({raw_tensor(std::string(64, 'n'), {1}, ggml::f32, 0)}).str());
  EXPECT_NO_THROW(GgufFile::open(longest.path()));
}

TEST(GgufHostile, UnknownTypesAreNamed) {
  EXPECT_THAT(refusal(with_key(raw_key("k", 13, "x"))), HasSubstr("key 'k': unknown value type 13"));
  EXPECT_THAT(refusal(with_key(raw_key("k", ~0U, "x"))), HasSubstr("unknown value type 4294967295"));
  EXPECT_THAT(refusal(with_key(raw_array("k", 13, 0, ""))), HasSubstr("unknown element type 13"));
  EXPECT_THAT(refusal(with_key(raw_array("k", kv::array, 0, ""))), HasSubstr("arrays of arrays"));
  EXPECT_THAT(refusal(with_tensors({raw_tensor("t", {256}, ggml::iq2_xxs, 0)})),
              HasSubstr("tensor 't' has type IQ2_XXS (16), which is not supported"));
  for (const std::uint32_t removed : {4U, 5U, 31U, 36U}) {
    EXPECT_THAT(refusal(with_tensors({raw_tensor("t", {0}, removed, 0)})), HasSubstr("(removed)"));
  }
  for (const std::uint32_t unknown : {43U, 133U, ~0U}) {
    EXPECT_THAT(refusal(with_tensors({raw_tensor("t", {256}, unknown, 0)})), HasSubstr("unknown type"));
  }
  EXPECT_THAT(refusal(with_tensors({raw_tensor("t", {33}, ggml::q8_0, 0)})), HasSubstr("multiple of 32 for Q8_0"));
}

TEST(GgufHostile, OtherVersionsAndByteOrdersAreNamed) {
  RawGguf file = small_gguf();
  for (const std::uint32_t version : {0U, 1U, 4U}) {
    file.version = version;
    EXPECT_THAT(refusal(file), HasSubstr("version " + std::to_string(version) + ", expected 2 or 3"));
  }
  file.version = 0x03000000;
  EXPECT_THAT(refusal(file), HasSubstr("big-endian"));
}

TEST(GgufHostile, AFileCutAnywhereIsRefused) {
  RawGguf raw = small_gguf();
  raw.data.resize(raw.data.size() - 30);  // the padding after the last tensor may be missing
  const std::string whole = raw.str();
  const MemoryFile complete(whole);
  EXPECT_NO_THROW(GgufFile::open(complete.path()));
  for (std::size_t n = 0; n < whole.size(); ++n) refusal(whole.substr(0, n));

  // Nothing lies behind this text, and nothing reads it until it is asked for.
  const std::string header = RawGguf{.keys = {raw_key("k", kv::string, raw_text(std::string(1 << 20, 'x')))}}.header();
  const MemoryFile header_alone(header);
  EXPECT_NO_THROW(GgufFile::open(header_alone.path()));
  refusal(header.substr(0, header.size() - 1));
}

// What was BOOL 2 or NaN in the file is refused when it is asked for, and can be written again before that.
TEST(GgufHostile, OddValuesAreRefusedWhenUsed) {
  const MemoryFile file(with_key(raw_key("odd", kv::boolean, "\x02")).str());
  const GgufFile model = GgufFile::open(file.path());
  EXPECT_THAT(error_of([&] { model.metadata().get<bool>("odd"); }), HasSubstr("key odd: expected a BOOL of 0 or 1"));
}

}  // namespace
}  // namespace toy::testing

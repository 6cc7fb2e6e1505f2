#include "toy/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "tests/io/expect_error.h"
#include "tests/io/raw_gguf.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string with_header(const std::string& header, const std::string& data) { return raw_text(header) + data; }

std::string refusal(const std::string& bytes) {
  const MemoryFile file(bytes);
  return error_of([&] { SafetensorsFile::open(file.path()); });
}

const std::string two_tensors =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[6,14]},)"
    R"("a":{"shape":[2,3],"dtype":"BOOL","data_offsets":[0,6]}})";
const std::string two_tensors_data = std::string("\1\0\1\0\1\0", 6) + raw(1.5F) + raw(-2.0F);

/// One tensor "t" of 8 bytes with these fields.
std::string one(const std::string& fields) { return with_header("{\"t\":{" + fields + "}}", "01234567"); }

TEST(Safetensors, ReadsWhatTheFileSays) {
  const MemoryFile file(with_header(two_tensors + "   ", two_tensors_data));
  const auto model = SafetensorsFile::open(file.path());
  EXPECT_EQ(model.metadata().at("format"), "pt");
  ASSERT_EQ(model.tensors().size(), 2U);
  EXPECT_EQ(model.tensors()[0].name, "a");
  EXPECT_EQ(model.tensors()[0].type, "BOOL");
  EXPECT_EQ(model.tensors()[0].dtype, std::nullopt);
  EXPECT_EQ(model.tensors()[0].shape, Shape({2, 3}));
  EXPECT_EQ(model.data(model.get("a")).size(), 6U);
  EXPECT_EQ(model.get("b").dtype, DType::F32);
  EXPECT_THAT(model.values<float>("b"), ElementsAre(1.5F, -2.0F));
  EXPECT_EQ(model.find("c"), nullptr);
  EXPECT_THAT(error_of([&] { model.get("c"); }), HasSubstr("missing tensor 'c'"));
  EXPECT_THAT(error_of([&] { model.values<double>("b"); }), HasSubstr("expected type F64, found 'F32'"));
}

TEST(Safetensors, AnEmptyTableAndEmptyTensorsAreFine) {
  const MemoryFile empty(with_header("{}", ""));
  EXPECT_TRUE(SafetensorsFile::open(empty.path()).tensors().empty());
  const MemoryFile zero(with_header(R"({"z":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]},)"
                                    R"("s":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})",
                                    raw(std::int64_t{-5})));
  const auto model = SafetensorsFile::open(zero.path());
  EXPECT_TRUE(model.values<float>("z").empty());
  EXPECT_THAT(model.values<std::int64_t>("s"), ElementsAre(-5));
  EXPECT_EQ(model.get("s").shape.rank(), 0);
}

TEST(Safetensors, EveryTypeHasItsSize) {
  const std::vector<std::pair<std::string, std::size_t>> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"U16", 2}, {"I16", 2}, {"F16", 2},
      {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},     {"U64", 8},     {"I64", 8}, {"F64", 8}};
  for (const auto& [type, bytes] : sizes) {
    const std::string data(3 * bytes, 'x');
    const MemoryFile file(with_header(
        R"({"t":{"dtype":")" + type + R"(","shape":[3],"data_offsets":[0,)" + std::to_string(data.size()) + "]}}",
        data));
    const auto model = SafetensorsFile::open(file.path());
    const SafeTensor& t = model.get("t");
    EXPECT_EQ(t.type, type);
    EXPECT_EQ(model.data(t).size(), data.size());
    if (t.dtype) {
      EXPECT_EQ(name(*t.dtype), type);
    }
  }
}

TEST(Safetensors, RefusesBadHeaders) {
  EXPECT_THAT(refusal("1234567"), HasSubstr("not a safetensors file"));
  EXPECT_THAT(refusal(raw(~std::uint64_t{0}) + "{}"), HasSubstr("announced"));
  EXPECT_THAT(refusal(raw(std::uint64_t{3}) + "{}"), HasSubstr("announced"));
  EXPECT_THAT(refusal(with_header("", "")), HasSubstr("no table"));
  EXPECT_THAT(refusal(with_header("[]", "")), HasSubstr("no table"));
  EXPECT_THAT(refusal(with_header("{", "")), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(with_header("{}x", "")), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(with_header("{\"a\xff\":1}", "")), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(with_header(R"({"t":5})", "")), HasSubstr("'t' has a number"));
  EXPECT_THAT(refusal(with_header(R"({"t":[]})", "")), HasSubstr("'t' has an array"));
  EXPECT_THAT(refusal(with_header(R"({"t":{"shape":{}}})", "")), HasSubstr("an object in shape"));
  EXPECT_THAT(refusal(with_header(R"({"__metadata__":{"k":1}})", "")), HasSubstr("a number"));
  EXPECT_THAT(refusal(with_header(R"({"__metadata__":{},"__metadata__":{}})", "")), HasSubstr("a second table"));
}

TEST(Safetensors, RefusesTensorsThatDoNotFit) {
  EXPECT_THAT(refusal(one(R"("dtype":"F31","shape":[2],"data_offsets":[0,8])")), HasSubstr("unknown type 'F31'"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])")), HasSubstr("takes 12 bytes"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])")), HasSubstr("before they begin"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[0])")), HasSubstr("two data_offsets"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,9])")), HasSubstr("more than two"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[2])")), HasSubstr("expected dtype, shape and two data_offsets"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])")), HasSubstr("negative"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])")), HasSubstr("a fraction"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[[2]],"data_offsets":[0,8])")), HasSubstr("an array"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[1,1,1,1,2],"data_offsets":[0,8])")), HasSubstr("4 axes"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8])")),
              HasSubstr("overflows"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8])")),
              HasSubstr("axis above"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])")), HasSubstr("a gap"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[3],"data_offsets":[0,12])")), HasSubstr("truncated"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])")), HasSubstr("the file has 8"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":"x")")), HasSubstr("unknown key"));
  EXPECT_THAT(refusal(one(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])")), HasSubstr("twice"));
  const std::string entry = R"({"dtype":"I8","shape":[4],"data_offsets":)";
  EXPECT_THAT(refusal(with_header("{\"a\":" + entry + "[0,4]},\"b\":" + entry + "[2,6]}}", "012345")),
              HasSubstr("overlaps"));
  EXPECT_THAT(refusal(with_header("{\"a\":" + entry + "[0,4]},\"a\":" + entry + "[4,8]}}", "01234567")),
              HasSubstr("occurs twice"));
}

TEST(Safetensors, AFileCutAnywhereIsRefused) {
  const std::string whole = with_header(two_tensors, two_tensors_data);
  for (std::size_t n = 0; n < whole.size(); ++n) refusal(whole.substr(0, n));
}

TEST(Safetensors, MutatedHeadersAreReadOrRefused) {
  std::mt19937_64 random(5);
  const std::string whole = with_header(two_tensors, two_tensors_data);
  const std::string letters = "{}[]\",:0123456789-.eE\\u ntf\xc3";
  MemoryFile file;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = whole;
    for (std::size_t n = 1 + random() % 3; n > 0; --n) {
      bytes[8 + random() % (bytes.size() - 8)] = letters[random() % letters.size()];
    }
    file.assign(bytes);
    try {
      const auto model = SafetensorsFile::open(file.path());
      for (const SafeTensor& t : model.tensors()) EXPECT_EQ(model.data(t).size(), t.bytes);
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    }
  }
}

TEST(Safetensors, WritesWhatItReads) {
  const std::vector<float> a = {1, 2, 3, 4, 5, 6};
  const std::vector<std::int32_t> b = {7, -8};
  const std::vector<SafeTensorSource> tensors = {{"a", {2, 3}, DType::F32, std::as_bytes(std::span(a))},
                                                 {"b", {2}, DType::I32, std::as_bytes(std::span(b))}};
  const ScratchFolder folder;
  write_safetensors(folder / "f", tensors, {{"format", "pt"}});
  const std::string bytes = read_bytes(folder / "f");
  EXPECT_EQ(bytes.substr(bytes.size() - 32, 4), raw(1.0F));
  EXPECT_EQ((bytes.size() - 32) % 8, 0U);
  const auto model = SafetensorsFile::open(folder / "f");
  EXPECT_EQ(model.values<float>("a"), a);
  EXPECT_EQ(model.values<std::int32_t>("b"), b);
  EXPECT_EQ(model.get("a").shape, Shape({2, 3}));
  EXPECT_EQ(model.metadata().at("format"), "pt");
  EXPECT_THAT(error_of([&] {
                write_safetensors(folder / "g", std::vector{tensors[0], tensors[0]});
              }),
              HasSubstr("there twice"));
  const std::vector<SafeTensorSource> blocks = {{"q", {32}, DType::Q8_0, std::as_bytes(std::span(a))}};
  EXPECT_THAT(error_of([&] { write_safetensors(folder / "g", blocks); }), HasSubstr("no type Q8_0"));
}

// Every reference file against a plain reading of its header by a general JSON parser.
TEST(Safetensors, ReadsTheReferenceFiles) {
  const auto reference = reference_folder();
  if (reference.empty()) GTEST_SKIP() << "TOY_REFERENCE is not set";
  int tensors = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(reference / "parity")) {
    if (entry.path().extension() != ".safetensors") continue;
    const std::string bytes = read_bytes(entry.path());
    std::uint64_t n = 0;
    std::memcpy(&n, bytes.data(), 8);
    auto table = nlohmann::json::parse(bytes.substr(8, n));
    table.erase("__metadata__");
    const auto model = SafetensorsFile::open(entry.path());
    ASSERT_EQ(model.tensors().size(), table.size()) << entry.path();
    for (const auto& [name, expected] : table.items()) {
      const SafeTensor& t = model.get(name);
      EXPECT_EQ(t.type, expected["dtype"]);
      EXPECT_EQ(t.shape, Shape(expected["shape"].get<std::vector<std::int64_t>>()));
      const std::uint64_t start = 8 + n + expected["data_offsets"][0].get<std::uint64_t>();
      const auto data = model.data(t);
      EXPECT_TRUE(std::equal(data.begin(), data.end(), reinterpret_cast<const std::byte*>(bytes.data() + start)));
      EXPECT_EQ(start + data.size(), 8 + n + expected["data_offsets"][1].get<std::uint64_t>());
      ++tensors;
    }
  }
  std::cout << tensors << " tensors compared\n";
  EXPECT_GT(tensors, 0);
}

}  // namespace
}  // namespace toy::testing

#include "toy/io/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "tests/io/expect_error.h"
#include "tests/io/raw_gguf.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

using ::testing::HasSubstr;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string rewritten(const std::filesystem::path& path, const std::filesystem::path& copy) {
  const GgufFile model = GgufFile::open(path);
  write_gguf(copy, model.metadata(), tensor_sources(model), model.write_options());
  return read_bytes(copy);
}

TEST(Gguf, ReadsWhatTheFileSays) {
  const MemoryFile file(small_gguf().str());
  const GgufFile model = GgufFile::open(file.path());
  EXPECT_EQ(model.version(), 3U);
  EXPECT_EQ(model.alignment(), 32U);
  EXPECT_EQ(model.metadata().get<std::string>("general.architecture"), "test");
  EXPECT_EQ(model.metadata().get<int>("a.i32"), -7);
  EXPECT_EQ(model.metadata().get<StringArray>("a.texts")[0], "one");
  ASSERT_EQ(model.tensors().size(), 2U);
  const TensorInfo& x = model.tensors()[0];
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.shape, Shape({2, 3}));  // the file says {3, 2}: fastest axis first
  EXPECT_EQ(text_of(model.data(x)), std::string(24, 'x'));
  EXPECT_EQ(model.find("y")->dtype, DType::Q8_0);
  EXPECT_EQ(text_of(model.data(*model.find("y"))), std::string(34, 'y'));
  EXPECT_EQ(model.find("z"), nullptr);
}

TEST(Gguf, TheMapOutlivesTheFileObject) {
  const MemoryFile file(small_gguf().str());
  std::shared_ptr<const MappedFile> map;
  std::uint64_t offset = 0;
  {
    const GgufFile model = GgufFile::open(file.path());
    map = model.mapping(*model.find("y"));
    offset = model.find("y")->offset;
  }
  EXPECT_EQ(map->bytes()[offset], std::byte{'y'});
}

TEST(Gguf, LeadingAxesOfLengthOneAreDroppedButWrittenAgain) {
  RawGguf raw = small_gguf();
  raw.tensors = {raw_tensor("a", {4, 1, 1}, ggml::f32, 0), raw_tensor("b", {1, 1, 3, 1}, ggml::f32, 32),
                 raw_tensor("c", {}, ggml::f32, 64)};
  raw.data = std::string(96, '\0');
  const ScratchFolder folder;
  write_bytes(folder / "f", raw.str());
  const GgufFile model = GgufFile::open(folder / "f");
  EXPECT_EQ(model.find("a")->shape, Shape({4}));
  EXPECT_EQ(model.find("b")->shape, Shape({3, 1, 1}));
  EXPECT_EQ(model.find("c")->shape, Shape({1}));
  EXPECT_EQ(rewritten(folder / "f", folder / "g"), raw.str());
}

TEST(Gguf, WithoutAMapThereIsNoData) {
  const MemoryFile file(small_gguf().str());
  const GgufFile model = GgufFile::open(file.path(), {.map = false});
  EXPECT_EQ(model.tensors().size(), 2U);
  EXPECT_THAT(error_of([&] { model.data(model.tensors()[0]); }), HasSubstr("header alone"));
}

TEST(Gguf, ATensorOfAnotherFileHasNoDataHere) {
  const MemoryFile file(small_gguf().str());
  const GgufFile model = GgufFile::open(file.path());
  TensorInfo foreign = model.tensors()[0];
  foreign.offset = model.file_bytes() - 8;
  EXPECT_THAT(error_of([&] { model.data(foreign); }), HasSubstr("not of this file"));
  foreign = model.tensors()[0];
  foreign.shard = 1;
  EXPECT_THAT(error_of([&] { model.data(foreign); }), HasSubstr("not of this file"));
}

TEST(Gguf, MissingDataIsCountedWhenAllowed) {
  std::string bytes = small_gguf().str();
  bytes.resize(bytes.size() - 64);  // all of y and its padding
  const MemoryFile file(bytes);
  EXPECT_THAT(error_of([&] { GgufFile::open(file.path(), {.map = false}); }), HasSubstr("tensor 'y' takes 34 bytes"));
  EXPECT_THAT(error_of([&] { GgufFile::open(file.path(), {.map = true, .require_data = false}); }),
              HasSubstr("truncated"));
  const OpenOptions header_only{.map = false, .require_data = false};
  EXPECT_EQ(GgufFile::open(file.path(), header_only).missing_bytes(), 34U);
  const MemoryFile with_a_part(small_gguf().str().substr(0, bytes.size() + 24));
  EXPECT_EQ(GgufFile::open(with_a_part.path(), header_only).missing_bytes(), 10U);
}

TEST(Gguf, OffsetsMayBeInAnyOrderAndHaveGaps) {
  RawGguf raw = small_gguf();
  raw.tensors = {raw_tensor("x", {8}, ggml::f32, 64), raw_tensor("y", {8}, ggml::f32, 0)};
  raw.data = std::string(32, 'y') + std::string(32, '-') + std::string(32, 'x');
  const MemoryFile file(raw.str());
  const GgufFile model = GgufFile::open(file.path());
  EXPECT_EQ(text_of(model.data(*model.find("x"))), std::string(32, 'x'));
  EXPECT_EQ(text_of(model.data(*model.find("y"))), std::string(32, 'y'));
}

/// A text and two arrays, each too long to be kept in memory.
RawGguf with_long_values() {
  RawGguf file = small_gguf();
  std::string numbers, texts;
  for (std::uint32_t i = 0; i < 1000; ++i) numbers += raw(i);
  for (int i = 0; i < 1000; ++i) texts += raw_text(std::to_string(i));
  file.keys.push_back(raw_key("long.text", kv::string, raw_text(std::string(1000, 'x'))));
  file.keys.push_back(raw_array("long.numbers", kv::u32, 1000, numbers));
  file.keys.push_back(raw_array("long.texts", kv::string, 1000, texts));
  return file;
}

TEST(Gguf, LongValuesAreReadWhenTheyAreAskedFor) {
  const MemoryFile file(with_long_values().str());
  Metadata metadata;
  {
    const GgufFile model = GgufFile::open(file.path(), {.map = false});
    metadata = model.metadata();
  }
  EXPECT_TRUE(metadata.value("long.text")->raw.empty());
  EXPECT_EQ(metadata.value("long.texts")->bytes(), 8U * 1000 + 2890);
  EXPECT_EQ(metadata.count_strings("long.texts"), 1000U);
  EXPECT_EQ(metadata.count_strings("no such key"), 0U);
  EXPECT_THAT(error_of([&] { metadata.count_strings("long.numbers"); }), HasSubstr("expected an array of STRING"));
  EXPECT_EQ(metadata.get<std::string>("long.text"), std::string(1000, 'x'));
  const auto numbers = metadata.get<NumberArray>("long.numbers").to_vector<int>();
  const auto texts = metadata.get<StringArray>("long.texts");
  metadata = {};
  for (std::size_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(numbers[i], static_cast<int>(i));
    ASSERT_EQ(texts[i], std::to_string(i));
  }
}

TEST(Gguf, LongValuesOfAChangedFileAreRefused) {
  std::string bytes = with_long_values().str();
  MemoryFile file(bytes);
  const Metadata metadata = GgufFile::open(file.path()).metadata();
  const std::size_t last = bytes.find(raw_text("999"));
  bytes.replace(last, 8, raw(std::uint64_t{4}));
  file.assign(bytes);
  EXPECT_THAT(error_of([&] { metadata.get<StringArray>("long.texts"); }),
              HasSubstr("key long.texts: text 999 of 1000 is not where it was: the file changed"));
  bytes.replace(last, 8, raw(~std::uint64_t{0}));
  file.assign(bytes);
  EXPECT_THAT(error_of([&] { metadata.get<StringArray>("long.texts"); }), HasSubstr("text 999 of 1000"));
  file.assign(bytes.substr(0, 500));
  EXPECT_THAT(error_of([&] { metadata.get<StringArray>("long.texts"); }), HasSubstr("became shorter"));
}

TEST(GgufWrite, MakesTheBytesOfTheFormat) {
  Metadata metadata;
  metadata.set("general.architecture", "test");
  metadata.set("a.u8", std::uint8_t{200});
  metadata.set("a.i32", std::int32_t{-7});
  metadata.set("a.f32", 1.5F);
  metadata.set("a.bool", true);
  metadata.set("a.u64", std::uint64_t{1} << 40);
  metadata.set_array<std::int32_t>("a.numbers", std::vector<std::int32_t>{1, -2, 3});
  metadata.set_strings("a.texts", std::vector<std::string>{"one", ""});
  const std::string x(24, 'x');
  const std::vector<TensorSource> tensors = {
      {"x", {2, 3}, DType::F32, std::as_bytes(std::span(x))},
      {"y", {32}, DType::Q8_0, [](ByteSink& out) { out.text(std::string(34, 'y')); }},
  };
  const ScratchFolder folder;
  write_gguf(folder / "f", metadata, tensors);
  EXPECT_EQ(read_bytes(folder / "f"), small_gguf().str());
  RawGguf old = small_gguf();
  old.version = 2;
  write_gguf(folder / "f", metadata, tensors, {.version = 2});
  EXPECT_EQ(read_bytes(folder / "f"), old.str());
}

TEST(GgufWrite, RefusesWhatNobodyCouldRead) {
  const ScratchFolder folder;
  const std::string bytes(64, 'x');
  const auto data = std::as_bytes(std::span(bytes));
  const auto error = [&](const Metadata& metadata, std::vector<TensorSource> tensors) {
    return error_of([&] { write_gguf(folder / "f", metadata, tensors); });
  };
  EXPECT_THAT(error({}, {{"x", {3}, DType::F32, data}}), HasSubstr("takes 12 bytes, 64 were written"));
  EXPECT_THAT(error({}, {{"x", {16}, DType::Q8_0, data}}), HasSubstr("multiple of 32 for Q8_0"));
  EXPECT_THAT(error({}, {{"x", {16}, DType::F32, data}, {"x", {16}, DType::F32, data}}), HasSubstr("there twice"));
  EXPECT_THAT(error({}, {{"", {16}, DType::F32, data}}), HasSubstr("tensor name"));
  EXPECT_THAT(error({}, {{std::string(65, 'n'), {16}, DType::F32, data}}), HasSubstr("tensor name"));
  Metadata metadata;
  metadata.set("general.alignment", std::uint32_t{3});
  EXPECT_THAT(error(metadata, {}), HasSubstr("power of two"));
  metadata.set("general.alignment", std::uint64_t{32});
  EXPECT_THAT(error(metadata, {}), HasSubstr("found UINT64"));
  EXPECT_THAT(error_of([&] { write_gguf(folder / "f", Metadata(), {}, {.version = 4}); }), HasSubstr("version 4"));
  EXPECT_THAT(error_of([&] { write_gguf_shards(folder / "f", Metadata(), {}, 0); }), HasSubstr("0 shards"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(GgufWrite, ReferenceFilesAreWrittenByteEqual) {
  const auto reference = reference_folder();
  if (reference.empty()) GTEST_SKIP() << "TOY_REFERENCE is not set";
  const ScratchFolder folder;
  int files = 0;
  for (const char* part : {"models", "parity", "vocab"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(reference / part)) {
      if (entry.path().extension() != ".gguf") continue;
      EXPECT_TRUE(rewritten(entry.path(), folder / "copy") == read_bytes(entry.path())) << entry.path();
      ++files;
    }
  }
  std::cout << files << " files written byte-equal\n";
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace toy::testing

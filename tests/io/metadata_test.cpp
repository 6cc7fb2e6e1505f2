#include "toy/io/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/io/expect_error.h"

namespace toy::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Metadata sample() {
  Metadata m("model.gguf");
  m.set("count", std::uint32_t{12});
  m.set("negative", std::int16_t{-3});
  m.set("huge", std::numeric_limits<std::uint64_t>::max());
  m.set("least", std::numeric_limits<std::int64_t>::min());
  m.set("eps", 1e-5F);
  m.set("nan", std::numeric_limits<float>::quiet_NaN());
  m.set("wide", 1e300);
  m.set("flag", true);
  m.set("text", "llama");
  m.set_array<std::int32_t>("heads", std::vector<std::int32_t>{4, -2, 8});
  m.set_strings("tokens", std::vector<std::string>{"a", "", "\xff\xfe"});
  return m;
}

TEST(Metadata, KeepsOrderAndReplacesInPlace) {
  Metadata m = sample();
  EXPECT_EQ(m.entries()[0].key, "count");
  EXPECT_EQ(m.entries()[8].key, "text");
  m.set("count", "now a text");
  EXPECT_EQ(m.size(), 11U);
  EXPECT_EQ(m.entries()[0].value.type, ValueType::String);
  EXPECT_EQ(m.get<std::string>("count"), "now a text");
  m.erase("negative");
  m.erase("no such key");
  EXPECT_EQ(m.entries()[1].key, "huge");
  EXPECT_EQ(m.get<std::string>("text"), "llama");
  EXPECT_FALSE(m.contains("negative"));
}

TEST(Metadata, ACopyStandsAlone) {
  Metadata copy;
  {
    Metadata m = sample();
    copy = m;
    m.set("text", "other");
  }
  EXPECT_EQ(copy.get<std::string>("text"), "llama");
  EXPECT_EQ(copy.get<StringArray>("tokens")[2], "\xff\xfe");
}

TEST(Metadata, AnyIntegerTypeInRangeServesAsInteger) {
  const Metadata m = sample();
  EXPECT_EQ(m.get<std::int8_t>("count"), 12);
  EXPECT_EQ(m.get<std::uint64_t>("count"), 12U);
  EXPECT_EQ(m.get<std::int64_t>("negative"), -3);
  EXPECT_EQ(m.get<std::uint64_t>("huge"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(m.get<std::int64_t>("least"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(m.get_count("count", 1, 12), 12);
  EXPECT_EQ(m.get_count_or("absent", 5, 0, 3), 5);
  EXPECT_EQ(m.get_or<int>("absent", 9), 9);
  EXPECT_EQ(m.find<int>("absent"), std::nullopt);
  EXPECT_EQ(m.find<int>("count"), 12);
}

template <class T>
void expect_both_ends() {
  Metadata m;
  for (const T end : {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()}) {
    m.set("end", end);
    EXPECT_EQ(m.get<T>("end"), end);
    if constexpr (sizeof(T) < 8) {
      EXPECT_EQ(m.get<std::int64_t>("end"), end);
    }
  }
}

TEST(Metadata, EveryIntegerTypeReachesBothEnds) {
  expect_both_ends<std::uint8_t>();
  expect_both_ends<std::int8_t>();
  expect_both_ends<std::uint16_t>();
  expect_both_ends<std::int16_t>();
  expect_both_ends<std::uint32_t>();
  expect_both_ends<std::int32_t>();
  expect_both_ends<std::uint64_t>();
  expect_both_ends<std::int64_t>();
}

TEST(Metadata, IntegersOutOfRangeAreErrors) {
  const Metadata m = sample();
  EXPECT_EQ(error_of([&] { m.get<std::uint32_t>("negative"); }),
            "model.gguf: key negative: expected an integer from 0 to 4294967295, found -3");
  EXPECT_EQ(error_of([&] { m.get<std::int64_t>("huge"); }),
            "model.gguf: key huge: expected an integer from -9223372036854775808 to 9223372036854775807, found "
            "18446744073709551615");
  EXPECT_THAT(error_of([&] { m.get<std::int32_t>("least"); }), HasSubstr("found -9223372036854775808"));
  EXPECT_THAT(error_of([&] { m.get_count("count", 13, 20); }), HasSubstr("from 13 to 20, found 12"));
  EXPECT_THAT(error_of([&] { m.get_count("count", 1, 11); }), HasSubstr("from 1 to 11, found 12"));
  EXPECT_THAT(error_of([&] { m.get_count("negative", 0, 11); }), HasSubstr("found -3"));
  EXPECT_THAT(error_of([&] { m.get_count("negative", 4, 11); }), HasSubstr("found -3"));
}

TEST(Metadata, OtherTypesAndMissingKeysAreErrors) {
  const Metadata m = sample();
  EXPECT_EQ(error_of([&] { m.get<int>("llama.block_count"); }), "model.gguf: missing key llama.block_count");
  EXPECT_EQ(error_of([] { Metadata().get<int>("k"); }), "missing key k");
  EXPECT_EQ(error_of([&] { m.get<int>("text"); }), "model.gguf: key text: expected an integer, found STRING");
  EXPECT_EQ(error_of([&] { m.get<int>("flag"); }), "model.gguf: key flag: expected an integer, found BOOL");
  EXPECT_EQ(error_of([&] { m.get<float>("count"); }),
            "model.gguf: key count: expected FLOAT32 or FLOAT64, found UINT32");
  EXPECT_EQ(error_of([&] { m.get<bool>("count"); }), "model.gguf: key count: expected BOOL, found UINT32");
  EXPECT_EQ(error_of([&] { m.get<std::string>("heads"); }),
            "model.gguf: key heads: expected STRING, found array of 3 INT32");
  EXPECT_EQ(error_of([&] { m.get<int>("heads"); }), "model.gguf: key heads: expected an integer, found ARRAY");
  EXPECT_THAT(error_of([&] { m.get<StringArray>("heads"); }), HasSubstr("expected an array of STRING"));
  EXPECT_THAT(error_of([&] { m.get<NumberArray>("tokens"); }), HasSubstr("found array of 3 STRING"));
  EXPECT_THAT(error_of([&] { m.get<NumberArray>("count"); }), HasSubstr("expected an array of numbers, found UINT32"));
}

TEST(Metadata, FloatsAreFiniteAndFit) {
  const Metadata m = sample();
  EXPECT_EQ(m.get<float>("eps"), 1e-5F);
  EXPECT_EQ(m.get<double>("wide"), 1e300);
  EXPECT_THAT(error_of([&] { m.get<float>("nan"); }), HasSubstr("expected a finite number, found nan"));
  EXPECT_THAT(error_of([&] { m.get<float>("wide"); }), HasSubstr("does not fit FLOAT32"));
}

TEST(Metadata, ABoolIsZeroOrOne) {
  Metadata m;
  MetaValue value = detail::number_value(ValueType::Bool, std::as_bytes(std::span("\x02", 1)));
  m.set_value("odd", value);
  EXPECT_EQ(error_of([&] { m.get<bool>("odd"); }), "key odd: expected a BOOL of 0 or 1, found 2");
}

TEST(Metadata, TextsAreAtMostAMebibyte) {
  Metadata m;
  m.set("text", std::string(most_text_bytes, 'x'));
  EXPECT_EQ(m.get<std::string>("text").size(), most_text_bytes);
  m.set("text", std::string(most_text_bytes + 1, 'x'));
  EXPECT_EQ(error_of([&] { m.get<std::string>("text"); }),
            "key text: a text of 1048577 bytes, expected at most 1048576");
}

TEST(Metadata, ArraysHoldTheirElements) {
  const Metadata m = sample();
  const auto heads = m.get<NumberArray>("heads");
  EXPECT_EQ(heads.element_type(), ValueType::I32);
  EXPECT_THAT(heads.to_vector<int>(), ElementsAre(4, -2, 8));
  EXPECT_EQ(heads.at<std::uint8_t>(2), 8);
  EXPECT_THAT(error_of([&] { heads.to_vector<unsigned>(); }), HasSubstr("key heads: expected an integer from 0"));
  const auto tokens = m.get<StringArray>("tokens");
  ASSERT_EQ(tokens.size(), 3U);
  EXPECT_EQ(tokens[0], "a");
  EXPECT_EQ(tokens[1], "");
  EXPECT_EQ(tokens[2], "\xff\xfe");
}

TEST(Metadata, KeysAreNotEmptyAndHaveNoNul) {
  Metadata m;
  EXPECT_THAT(error_of([&] { m.set("", 1); }), HasSubstr("expected 1 to 65535 bytes"));
  EXPECT_THAT(error_of([&] { m.set(std::string_view("a\0b", 3), 1); }), HasSubstr("'a\\x00b'"));
  EXPECT_THAT(error_of([&] { m.set(std::string(65536, 'k'), 1); }), HasSubstr("..."));
}

}  // namespace
}  // namespace toy::testing

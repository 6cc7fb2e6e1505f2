#include "toy/text/bytes.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace toy {
namespace {

/// A decoder of another kind: computes the value, then checks the rules of RFC 3629 on it.
std::optional<std::size_t> strict_length(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  std::size_t length = 1;
  unsigned value = byte(0);
  if (value >= 0xF8 || (value >= 0x80 && value < 0xC0)) return std::nullopt;
  if (value >= 0xF0) {
    length = 4;
    value &= 7;
  } else if (value >= 0xE0) {
    length = 3;
    value &= 15;
  } else if (value >= 0xC0) {
    length = 2;
    value &= 31;
  }
  if (bytes.size() < length) return std::nullopt;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return std::nullopt;
    value = value * 64 + (byte(i) & 63);
  }
  const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return std::nullopt;
  return length;
}

TEST(Utf8, HeadAgreesWithTheRulesOnAllShortSequences) {
  const std::string interesting =
      "\x01\x41\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xed\xee\xef\xf0\xf1\xf4\xf5\xff";
  for (int first = 0; first < 256; ++first) {
    for (char b : interesting) {
      for (char c : interesting) {
        for (char d : interesting) {
          const std::string bytes = {static_cast<char>(first), b, c, d};
          const auto expected = strict_length(bytes);
          const Utf8Head head = utf8_head(bytes);
          ASSERT_EQ(head.kind == Utf8Head::valid, expected.has_value()) << first << ' ' << int(b) << ' ' << int(c);
          ASSERT_EQ(head.length, expected.value_or(1));
          for (std::size_t n = 1; n < expected.value_or(1); ++n) {
            ASSERT_EQ(utf8_head(std::string_view(bytes).substr(0, n)).kind, Utf8Head::incomplete);
          }
        }
      }
    }
  }
}

TEST(Utf8, IncompleteOnlyIfAContinuationExists) {
  EXPECT_EQ(utf8_head("\xE0").kind, Utf8Head::incomplete);
  EXPECT_EQ(utf8_head("\xE0\x80").kind, Utf8Head::invalid);  // would be overlong
  EXPECT_EQ(utf8_head("\xED\xA0").kind, Utf8Head::invalid);  // would be a surrogate
  EXPECT_EQ(utf8_head("\xF4\x90").kind, Utf8Head::invalid);  // would be above U+10FFFF
  EXPECT_EQ(utf8_head("\xF0\x9F\x98").kind, Utf8Head::incomplete);
  EXPECT_EQ(utf8_head("\xE2\x96"
                      "a")
                .kind,
            Utf8Head::invalid);
}

TEST(Utf8, EveryInvalidByteIsReplaced) {
  EXPECT_EQ(replace_invalid_utf8("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x96"), "\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x96\x81"), "\u2581");
  EXPECT_EQ(replace_invalid_utf8("\xC0\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8(""), "");
}

TEST(Utf8, CodePointsThereAndBack) {
  for (char32_t c : {0x0u, 0x41u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xFFFDu, 0x10000u, 0x10FFFFu}) {
    std::string text;
    append_utf8(text, c);
    EXPECT_EQ(strict_length(text), text.size());
    EXPECT_EQ(decode_utf8(text), c);
  }
}

TEST(ByteMap, IsTheOneOfGpt2) {
  EXPECT_EQ(byte_to_unicode(' '), U'\u0120');
  EXPECT_EQ(byte_to_unicode('\n'), U'\u010A');
  EXPECT_EQ(byte_to_unicode('\t'), U'\u0109');
  EXPECT_EQ(byte_to_unicode('\r'), U'\u010D');
  EXPECT_EQ(byte_to_unicode('!'), U'!');
  EXPECT_EQ(byte_to_unicode(0x7F), U'\u0121');
  EXPECT_EQ(byte_to_unicode(0x80), U'\u0122');
  EXPECT_EQ(byte_to_unicode(0xA0), U'\u0142');
  EXPECT_EQ(byte_to_unicode(0xAD), U'\u0143');
  EXPECT_EQ(byte_to_unicode(0xFF), U'\u00FF');
  for (int byte = 0; byte < 256; ++byte)
    EXPECT_EQ(unicode_to_byte(byte_to_unicode(static_cast<std::uint8_t>(byte))), byte);
  for (char32_t c : {0x20u, 0xADu, 0x144u, 0x2581u, 0x10FFFFu}) EXPECT_FALSE(unicode_to_byte(c)) << std::uint32_t(c);
}

TEST(ByteToken, OnlyTwoHexadecimalDigits) {
  EXPECT_EQ(parse_byte_token("<0x00>"), 0);
  EXPECT_EQ(parse_byte_token("<0xFF>"), 255);
  EXPECT_EQ(parse_byte_token("<0xaB>"), 0xAB);
  for (std::string_view text :
       {"", "<0x>", "<0x1>", "<0x-1>", "<0xGG>", "<0x 1>", "<0x001>", "<0X41>", "0x41", "<0x41", "<0x41>x"}) {
    EXPECT_FALSE(parse_byte_token(text)) << text;
  }
}

}  // namespace
}  // namespace toy

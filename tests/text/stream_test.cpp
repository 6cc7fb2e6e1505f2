#include "toy/text/stream.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <random>

#include "tests/text/sample.h"

namespace toy {
namespace {

using test::Ids;

bool is_utf8(const std::string& text) {
  try {
    (void)nlohmann::json(text).dump();  // strict about UTF-8
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

TEST(StreamingDetokenizer, HoldsBackHalfACharacter) {
  const Tokenizer t = Tokenizer::from_vocabulary(byte_vocabulary());
  StreamingDetokenizer stream(t);
  EXPECT_EQ(stream.push(3 + 0xF0), "");
  EXPECT_EQ(stream.push(3 + 0x9F), "");
  EXPECT_EQ(stream.push(3 + 0x98), "");
  EXPECT_EQ(stream.push(3 + 0x80), "😀");
  EXPECT_EQ(stream.push(3 + 0xE2), "");
  EXPECT_EQ(stream.push(3 + 'a'), "\uFFFDa");
  EXPECT_EQ(stream.push(3 + 0xE2), "");
  EXPECT_EQ(stream.push(3 + 0x96), "");
  EXPECT_EQ(stream.finish(), "\uFFFD\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(StreamingDetokenizer, JoinedIsDecodeOnRandomIds) {
  Vocabulary spm = byte_vocabulary();
  spm.add_space_prefix = true;
  for (std::string_view text : {"\u2581", "\u2581a", "é", "\u2581你", "\xE2\x96", "\x81", "\xF0\x9F", "\xFF"}) {
    test::add_token(spm, text);
  }
  std::mt19937_64 random(5);
  for (const Tokenizer& t : {Tokenizer::from_vocabulary(spm), Tokenizer::from_vocabulary(test::small_bpe())}) {
    for (int trial = 0; trial < 3000; ++trial) {
      Ids ids;
      std::string bytes;
      const DecodeOptions options{.special = trial % 2 == 0, .continues = trial % 3 == 0};
      for (std::size_t n = test::below(random, 12); n > 0; --n) {
        // Many bytes from 0x80 on, so that characters are often whole, cut or broken.
        const bool high = test::below(random, 2) == 0;
        const auto any = static_cast<std::int32_t>(test::below(random, static_cast<std::size_t>(t.size())));
        const auto id = high && t.model() == "llama" ? 3 + 0x80 + any % 0x80 : any;
        ids.push_back(id);
        bytes += t.piece(id, options.special);
      }
      StreamingDetokenizer stream(t, options);
      std::string joined;
      for (std::int32_t id : ids) {
        const std::string text = stream.push(id);
        ASSERT_TRUE(is_utf8(text));
        joined += text;
      }
      joined += stream.finish();
      ASSERT_TRUE(is_utf8(joined));
      ASSERT_EQ(joined, t.decode(ids, options));
      if (t.model() == "llama" && !options.continues && bytes.starts_with(' ')) bytes.erase(0, 1);
      ASSERT_EQ(joined, replace_invalid_utf8(bytes));
    }
  }
}

TEST(StopMatcher, HoldsBackWhatMayBecomeAStop) {
  StopMatcher stop({"END", "###"});
  EXPECT_EQ(stop.push("a E"), "a ");
  EXPECT_EQ(stop.push("N"), "");
  EXPECT_EQ(stop.push("x #"), "ENx ");
  EXPECT_EQ(stop.push("##tail"), "");
  EXPECT_TRUE(stop.stopped());
  EXPECT_EQ(stop.stop(), "###");
  EXPECT_EQ(stop.push("more"), "");
  EXPECT_EQ(stop.finish(), "");
}

TEST(StopMatcher, WhatIsHeldBackComesAtTheEnd) {
  StopMatcher stop({"aab"});
  EXPECT_EQ(stop.push("xaaa"), "xa");
  EXPECT_EQ(stop.finish(), "aa");
  EXPECT_FALSE(stop.stopped());
}

TEST(StopMatcher, WithoutStopsEverythingPasses) {
  StopMatcher none({"", ""});
  EXPECT_EQ(none.push("abc"), "abc");
  EXPECT_FALSE(none.stopped());
}

TEST(StopMatcher, NeverCutsACharacter) {
  StopMatcher stop({"\x98\x80", "é!"});
  EXPECT_EQ(stop.push("😀é"), "😀");
  EXPECT_EQ(stop.push("é!"), "é");
  EXPECT_TRUE(stop.stopped());
}

/// The text before the stop string that ends first (the longest of those that end there).
std::string naive_stop(const std::string& text, const std::vector<std::string>& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (!stop.empty() && stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0) {
        longest = std::max(longest, stop.size());
      }
    }
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

TEST(StopMatcher, DoesNotDependOnHowTheTextIsCut) {
  std::mt19937_64 random(6);
  const std::vector<std::string> letters = {"a", "b", "é"};
  for (int trial = 0; trial < 3000; ++trial) {
    std::vector<std::string> stops;
    for (std::size_t n = test::below(random, 4); n > 0; --n) stops.push_back(test::random_text(random, letters, 5));
    StopMatcher matcher(stops);
    std::string text, out;
    for (int push = 0; push < 6; ++push) {
      const std::string part = test::random_text(random, letters, 4);
      text += part;
      const std::string certain = matcher.push(part);
      ASSERT_TRUE(is_utf8(certain));
      out += certain;
      ASSERT_TRUE(naive_stop(text + "zzzzzz", stops).starts_with(out)) << "text came that a stop string takes back";
    }
    out += matcher.finish();
    ASSERT_EQ(out, naive_stop(text, stops));
  }
}

}  // namespace
}  // namespace toy

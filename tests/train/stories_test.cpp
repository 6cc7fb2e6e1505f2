#include "toy/train/stories.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>

namespace toy::testing {
namespace {

std::vector<std::string> sample(std::uint64_t seed, std::uint64_t count) {
  std::vector<std::string> all;
  for (std::uint64_t i = 0; i < count; ++i) all.push_back(story(seed, i));
  return all;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      words.push_back(word);
      word.clear();
    }
  }
  return words;
}

/// The one who comes first after "named", or begins the story.
std::string hero_of(const std::string& text) {
  const std::string first = text.substr(0, text.find('.'));
  const auto at = first.find(" named ");
  return at == std::string::npos ? first.substr(0, first.find(' ')) : first.substr(at + 7);
}

// FNV-1a of 64 bits, by its definition.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

TEST(Stories, AreTheSameOnEveryMachine) {
  EXPECT_EQ(
      story(1, 0),
      "In a yellow house near the forest, there lived a clever boy named Jack. He wanted to go to the park with his "
      "dad and play with his orange hoop. He had waited all week. But dark clouds came, and it began to rain. Jack "
      "looked out of the window and felt sad. \"Now we can not go,\" he said. \"The rain will stop,\" said his dad. "
      "\"Let us bake some bread until then!\" So they did, and they had a lot of fun. After a while, the rain stopped "
      "and the sun came out. There was a rainbow over the house! Jack took the orange hoop, and they ran to the park. "
      "There they jumped over all the puddles and played all afternoon. \"This was the best day,\" said Jack.");
  EXPECT_EQ(story(1, 1),
            "Sam was a happy mouse. He wanted to learn to climb the big tree. His friend Lily could do it well. \"Will "
            "you teach me?\" asked Sam. \"Yes,\" said Lily. The first time, it did not work, and Sam was angry. \"I "
            "can not do it,\" he said. \"You can learn it,\" said Lily. \"Go slowly and try again.\" Sam tried again "
            "in the afternoon, and it was much better. He tried again and again. It was hard, but Lily always said "
            "something kind. After a week, he climbed to the top of the big tree! \"I did it!\" Sam shouted. Lily was "
            "glad and hugged him. \"You never gave up,\" she said. Sam was very proud.");
  EXPECT_EQ(
      story(2, 1'000'000'007),
      "In a small house at the end of the road, there lived a brave fox named Tim. He wanted to go to the field with "
      "his dad and play with his blue boat. He had waited all week. But dark clouds came, and it began to rain. Tim "
      "sat by the window and felt sad. \"Now we can not go,\" he said. \"The rain will stop,\" said his dad. \"Let us "
      "read a book first!\" So they did, and they had a lot of fun. Later, the rain stopped and the sun came out. "
      "There was a rainbow over the house! Tim took the blue boat, and they went to the field. There they jumped over "
      "all the puddles and played all afternoon. \"Rain can be fun too,\" said Tim with a smile.");
  EXPECT_EQ(hash_of(stories(7, 100, 1000)), 0x36c03f2324543696U);
}

TEST(Stories, AreCountedFromTheirNumber) {
  EXPECT_EQ(stories(3, 5, 2), story(3, 5) + "\n" + story(3, 6) + "\n");
  EXPECT_EQ(stories(3, 5, 0), "");
}

TEST(Stories, AreMoreThanAHundredMillion) {
  EXPECT_GT(story_count(), 1e8);
  // With N equally likely ones, 20,000 of them hold about 2e8 / N pairs of equal ones.
  const auto all = sample(1, 20'000);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
}

TEST(Stories, HaveTheirHeroInTheFirstSentenceAndLater) {
  for (const std::string& text : sample(2, 2000)) {
    const std::string hero = hero_of(text);
    ASSERT_TRUE(std::isupper(static_cast<unsigned char>(hero[0])) != 0) << text;
    ASSERT_EQ(hero.find(' '), std::string::npos) << text;
    const std::string rest = text.substr(text.find('.'));
    ASSERT_NE(rest.find(hero), std::string::npos) << text;
  }
}

// Besides the hero there is one other name at most; who is alone has one gender throughout.
TEST(Stories, KeepToTheirPeople) {
  const std::set<std::string> girls{"Lily", "Mia", "Anna", "Sara", "Lucy", "Emma", "Ella", "Rosa"};
  const std::regex name("\\b(Lily|Mia|Anna|Sara|Lucy|Emma|Ella|Rosa|Tom|Ben|Max|Sam|Leo|Tim|Jack|Noah)\\b");
  for (const std::string& text : sample(3, 2000)) {
    std::set<std::string> names;
    for (std::sregex_iterator at(text.begin(), text.end(), name), end; at != end; ++at) names.insert(at->str());
    ASSERT_LE(names.size(), 2U) << text;
    const bool girl = girls.contains(hero_of(text));
    const std::string first = text.substr(0, text.find('.'));
    ASSERT_FALSE(std::regex_search(first, std::regex(girl ? "\\bboy\\b" : "\\bgirl\\b"))) << text;
    if (names.size() == 2) continue;
    const std::regex other(girl ? "\\b(himself|[Hh]is (mom|dad|grandma|grandpa))\\b"
                                : "\\b(herself|[Hh]er (mom|dad|grandma|grandpa))\\b");
    ASSERT_FALSE(std::regex_search(text, other)) << text;
  }
}

TEST(Stories, AreCleanEnglish) {
  const std::vector<std::string> vocabulary = story_vocabulary();
  EXPECT_GE(vocabulary.size(), 300U);
  EXPECT_LE(vocabulary.size(), 500U);
  std::set<std::string> seen;
  const std::regex wrong(
      "[^A-Za-z .,!?\"]|  | [.,!?]|^ | $|\\b[Aa] [aeiouAEIOU]|\\b[Aa]n (?!hour)[^aeiou]|[.!?] [a-z]|, "
      "?\\.|\"[a-z]|\\bi\\b");
  // After a question or a call the speaker may follow; any other word begins a sentence.
  const std::regex speech("[.!?]\" (?!said |asked |he |she )[a-z]");
  for (const std::string& text : sample(4, 5000)) {
    const auto words = words_of(text);
    ASSERT_GE(words.size(), 60U) << text;
    ASSERT_LE(words.size(), 150U) << text;
    ASSERT_TRUE(std::isupper(static_cast<unsigned char>(text[0])) != 0) << text;
    ASSERT_NE(std::string(".!\"").find(text.back()), std::string::npos) << text;
    ASSERT_EQ(std::ranges::count(text, '"') % 2, 0) << text;
    std::smatch found;
    ASSERT_FALSE(std::regex_search(text, found, wrong)) << "'" << found.str() << "' in " << text;
    ASSERT_FALSE(std::regex_search(text, found, speech)) << "'" << found.str() << "' in " << text;
    seen.insert(words.begin(), words.end());
  }
  for (const std::string& word : seen) EXPECT_TRUE(std::ranges::binary_search(vocabulary, word)) << word;
  EXPECT_EQ(seen.size(), vocabulary.size()) << "words that no story has";
}

}  // namespace
}  // namespace toy::testing

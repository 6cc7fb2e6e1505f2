// What a pattern of --corpus names.
#include "toy/train/corpus_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "toy/train/corpus.h"

#include "tests/io/expect_error.h"
#include "tests/io/scratch.h"
#include "tests/train/nobody.h"

namespace toy::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

class CorpusPatterns : public ::testing::Test {
 protected:
  CorpusPatterns() {
    for (const char* file : {"top.txt", ".top.txt", "[br].txt", "b.txt", "a/one.txt", "a/deep/two.txt",
                             "a/deep/.hidden.txt", "a/.closed/three.txt", "b/four.md", "{x}.txt"}) {
      fs::create_directories((folder / file).parent_path());
      write_bytes(folder / file, "text");
    }
  }
  /// The files below the folder that a pattern names, separated by spaces.
  std::string named(const std::string& pattern) const {
    std::string all;
    for (const fs::path& path : files_named((folder / pattern).string()).paths) {
      all += (all.empty() ? "" : " ") + path.lexically_normal().lexically_relative(folder.path()).string();
    }
    return all;
  }
  std::string error(const std::string& pattern) const {
    std::string text = error_of([&] { (void)files_named((folder / pattern).string()); });
    const std::string prefix = folder.path().string() + "/";
    for (std::size_t at = 0; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    return text;
  }

  const ScratchFolder folder;
};

TEST_F(CorpusPatterns, WildcardsOfTheShell) {
  EXPECT_EQ(named("*.txt"), "[br].txt b.txt top.txt {x}.txt");
  EXPECT_EQ(named("?.txt"), "b.txt");
  EXPECT_EQ(named("[ab].txt"), "b.txt");
  EXPECT_EQ(named("*/*.txt"), "a/one.txt");
  EXPECT_EQ(named("{top,b}.txt"), "top.txt b.txt");
  EXPECT_EQ(named("{a/one,b{,/four}}.{txt,md}"), "a/one.txt b.txt b/four.md");
  EXPECT_EQ(named("a/.closed/*"), "a/.closed/three.txt");
  EXPECT_EQ(named("\\[br\\].txt"), "[br].txt");
  EXPECT_EQ(named("a/deep/../one.*"), "a/one.txt");
}

TEST_F(CorpusPatterns, TwoStarsStandForAnyFoldersAlsoNone) {
  EXPECT_EQ(named("**/*.txt"), "[br].txt a/deep/two.txt a/one.txt b.txt top.txt {x}.txt");
  EXPECT_EQ(named("**/**/two.txt"), "a/deep/two.txt");
  EXPECT_EQ(named("a/**"), "a/deep/two.txt a/one.txt");
  EXPECT_EQ(named("**/deep/*"), "a/deep/two.txt");
  EXPECT_EQ(named("{a,b}/**/*.{txt,md}"), "a/deep/two.txt a/one.txt b/four.md");
  fs::create_directory_symlink(folder.path(), folder / "b/round");
  EXPECT_EQ(named("**/four.md"), "b/four.md");
}

TEST_F(CorpusPatterns, APathThatExistsIsNoPattern) {
  EXPECT_EQ(named("[br].txt"), "[br].txt");
  EXPECT_EQ(named("{x}.txt"), "{x}.txt");
  fs::remove(folder / "[br].txt");
  EXPECT_EQ(named("[br].txt"), "b.txt");
}

TEST_F(CorpusPatterns, SaysWhatAFolderIs) {
  EXPECT_EQ(error("a"), "corpus: 'a' is a folder; for its files give 'a/*'");
  EXPECT_EQ(error("a/"), "corpus: 'a/' is a folder; for its files give 'a/*'");
  EXPECT_THAT(error("a/de*"), HasSubstr("matches only folders"));
}

TEST_F(CorpusPatterns, SaysThatNothingFits) {
  for (const char* pattern : {"none", "*.none", "none/*.txt", "**/none", "top.txt/*", "top.txt/x", "{none", "[none",
                              "\\", "{}", "none/../x*"}) {
    EXPECT_THAT(error(pattern), HasSubstr("matches no file")) << pattern;
  }
  EXPECT_THAT(error(std::string(200, '{')), HasSubstr("more than 100 braces"));
  std::string many;
  for (int i = 0; i < 20; ++i) many += "{a,b}";
  EXPECT_THAT(error(many), HasSubstr("more than 10000 patterns"));
}

TEST_F(CorpusPatterns, ALoopOfLinksIsNamedAndLeavesTheOthers) {
  fs::create_symlink("loop.txt", folder / "loop.txt");
  fs::create_symlink("nowhere", folder / "broken.txt");
  EXPECT_EQ(error("loop.txt"), "corpus: loop.txt: Too many levels of symbolic links");
  EXPECT_THAT(error("l*.txt"), HasSubstr("no file that can be read: loop.txt: Too many levels of symbolic links"));
  EXPECT_EQ(named("?o*.txt"), "top.txt");
  const std::vector<std::string> patterns{(folder / "*.txt").string()};
  const Corpus corpus = Corpus::files(patterns);
  EXPECT_EQ(corpus.documents().size(), 4U);
  EXPECT_THAT(corpus.notes(), ElementsAre(HasSubstr("broken.txt: No such file or directory; left out"),
                                          HasSubstr("loop.txt: Too many levels of symbolic links; left out")));
}

TEST_F(CorpusPatterns, AFileOfManySpellingsIsReadOnce) {
  fs::create_symlink("b.txt", folder / "link.txt");
  const std::string at = folder.path().string();
  const std::vector<std::string> patterns{at + "/b.txt", at + "/./b.txt", at + "/a/../b.txt", at + "/link.txt"};
  EXPECT_EQ(Corpus::files(patterns).documents().size(), 1U);
}

TEST_F(CorpusPatterns, ASeparatorThatIsNowhereIsTold) {
  write_bytes(folder / "two.txt", "one\n\ntwo");
  const std::vector<std::string> patterns{(folder / "*.txt").string()};
  const Corpus apart = Corpus::files(patterns, "\n\n"), whole = Corpus::files(patterns, "\\n\\n");
  EXPECT_EQ(apart.documents().size(), whole.documents().size() + 1);
  EXPECT_THAT(apart.notes(), ::testing::IsEmpty());
  ASSERT_EQ(whole.notes().size(), 1U);
  EXPECT_THAT(whole.notes()[0], HasSubstr("is nowhere in the corpus: each file is one document"));
}

TEST_F(CorpusPatterns, VeryLongOnesGiveAShortLine) {
  const std::string name(100'000, 'x');
  EXPECT_THAT(error(name), HasSubstr("File name too long"));
  EXPECT_LT(error(name).size(), 400U);
  for (const std::string& pattern : {name + "/*", name + "*", "*/" + name, "**/" + name}) {
    EXPECT_LT(error(pattern).size(), 600U);
  }
  std::string deep;
  for (int i = 0; i < 30'000; ++i) deep += "a/";
  EXPECT_LT(error(deep + "*").size(), 600U);
}

TEST_F(CorpusPatterns, AClosedFolderIsNamed) {
  fs::permissions(folder.path(), fs::perms::others_read | fs::perms::others_exec, fs::perm_options::add);
  fs::permissions(folder / "a", fs::perms::none);
  const auto error_of_nobody = [&](const char* pattern) { return answer_of_nobody([&] { return error(pattern); }); };
  EXPECT_EQ(error_of_nobody("a/*"), "corpus: 'a/*' matches no file that can be read: a: Permission denied");
  EXPECT_EQ(error_of_nobody("a/one.txt"), "corpus: a/one.txt: Permission denied");
  EXPECT_THAT(error_of_nobody("a/deep/*"), HasSubstr("a/deep: Permission denied"));
  const auto found = [&] {
    const NamedFiles files = files_named((folder / "**/*.md").string());
    std::string all;
    for (const fs::path& path : files.paths) all += path.string() + "\n";
    for (const std::string& note : files.left_out) all += "left out " + note + "\n";
    return all;
  };
  const std::string four = (folder / "b/four.md").string() + "\n", a = (folder / "a").string();
  EXPECT_EQ(answer_of_nobody(found), four + "left out " + a + ": Permission denied\n");
  fs::permissions(folder / "a", fs::perms::owner_all);
  EXPECT_EQ(found(), four);
}

}  // namespace
}  // namespace toy::testing

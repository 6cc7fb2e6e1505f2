#include "toy/train/git_state.h"

#include <gtest/gtest.h>

#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

namespace fs = std::filesystem;

const std::string one(40, '1'), two(40, '2');

/// "SHA BRANCH", or "none".
std::string told(const fs::path& folder) {
  const auto state = git_state(folder);
  return state ? state->sha + " " + state->branch : "none";
}

class Git : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((folder / path).parent_path());
    write_bytes(folder / path, text);
  }
  const ScratchFolder folder;
};

TEST_F(Git, ReadsTheBranchAndItsCommit) {
  fs::create_directories(folder / "deep/er");
  write(".git/HEAD", "ref: refs/heads/some/branch\n");
  EXPECT_EQ(told(folder / "deep/er"), "none") << "no commit yet";
  write(".git/packed-refs", "# pack-refs with: peeled\n" + two + " refs/heads/other/some/branch\n" + one +
                                " refs/heads/some/branch\n^" + two + "\n");
  EXPECT_EQ(told(folder / "deep/er"), one + " some/branch");
  write(".git/refs/heads/some/branch", two + "\n");
  EXPECT_EQ(told(folder / "deep/er"), two + " some/branch") << "newer than the packed one";
  write(".git/HEAD", one + "\n");
  EXPECT_EQ(told(folder.path()), one + " ") << "detached";
}

TEST_F(Git, ReadsAWorktree) {
  write("main/.git/worktrees/w/HEAD", "ref: refs/heads/w\n");
  write("main/.git/worktrees/w/commondir", "../..\n");
  write("main/.git/refs/heads/w", one + "\n");
  write("w/.git", "gitdir: ../main/.git/worktrees/w\n");
  EXPECT_EQ(told(folder / "w"), one + " w");
}

TEST_F(Git, WhatIsDamagedIsNone) {
  for (const std::string& head :
       {std::string(), std::string("ref: "), std::string("ref: refs/heads/x"), std::string(39, 'a'),
        std::string(40, 'g'), std::string(100'000, 'a'), std::string("ref: ../../../../../../etc/passwd")}) {
    write(".git/HEAD", head);
    EXPECT_EQ(told(folder.path()), "none") << head.substr(0, 80);
  }
  fs::remove_all(folder / ".git");
  write(".git", "gitdir: nowhere\n");
  EXPECT_EQ(told(folder.path()), "none");
}

}  // namespace
}  // namespace toy::testing

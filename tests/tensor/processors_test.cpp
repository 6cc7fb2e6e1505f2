// How many processors a control group leaves.
#include "toy/tensor/device/cpu/processors.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace toy {
namespace {

namespace fs = std::filesystem;

class Groups : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "toy-groups-XXXXXX").string();
    ASSERT_NE(mkdtemp(form.data()), nullptr);
    root_ = form;
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  int processors(const std::string& groups) {
    write("groups", groups);
    return cpu::processors_of_groups(root_ / "groups", root_);
  }

  fs::path root_;
};

TEST_F(Groups, NoLimitIsZero) {
  EXPECT_EQ(cpu::processors_of_groups(root_ / "missing", root_), 0);
  EXPECT_EQ(processors(""), 0);
  EXPECT_EQ(processors("0::/\n"), 0);
  write("cpu.max", "max 100000\n");
  EXPECT_EQ(processors("0::/\n"), 0);
}

TEST_F(Groups, TheSecondVersionsLimitIsRoundedUp) {
  write("a/b/cpu.max", "150000 100000\n");
  EXPECT_EQ(processors("0::/a/b\n"), 2);
  write("a/b/cpu.max", "100000 100000\n");
  EXPECT_EQ(processors("0::/a/b\n"), 1);
  write("a/b/cpu.max", "1000 100000\n");
  EXPECT_EQ(processors("0::/a/b\n"), 1);
}

TEST_F(Groups, AParentsLimitHoldsToo) {
  write("a/cpu.max", "300000 100000\n");
  write("a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(processors("0::/a/b\n"), 3);
  write("cpu.max", "200000 100000\n");
  EXPECT_EQ(processors("0::/a/b\n"), 2);
}

TEST_F(Groups, TheFirstVersionHasAFolderForProcessors) {
  write("cpu/x/cpu.cfs_quota_us", "250000\n");
  write("cpu/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(processors("4:memory:/y\n2:cpuacct,cpu:/x\n0::/\n"), 3);
  EXPECT_EQ(processors("4:memory:/x\n2:cpuset:/x\n"), 0);
  write("cpu/x/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(processors("2:cpuacct,cpu:/x\n"), 0);
}

TEST_F(Groups, WhatIsNotUnderstoodSetsNoLimit) {
  for (const char* text : {"", "x", "100000", "-5 100000", "100000 0", "nan nan", "1e400 1"}) {
    write("cpu.max", text);
    EXPECT_EQ(processors("0::/\n"), 0) << text;
  }
  for (const char* groups : {":", "::", "0:", "x\ny\n", "0::"}) EXPECT_EQ(processors(groups), 0) << groups;
}

TEST(DefaultThreads, FollowTheEnvironment) {
  const int cores = physical_cores();
  ASSERT_GE(cores, 1);
  const char* const before = std::getenv("OMP_NUM_THREADS");
  const std::string kept = before != nullptr ? before : "";
  setenv("OMP_NUM_THREADS", "1", 1);
  EXPECT_EQ(default_threads(), 1);
  unsetenv("OMP_NUM_THREADS");
  const int without = default_threads();
  EXPECT_LE(without, cores);
  for (const char* text : {"0", "-3", "x", "", "99999999999"}) {
    setenv("OMP_NUM_THREADS", text, 1);
    EXPECT_EQ(default_threads(), without) << text;
  }
  if (before != nullptr)
    setenv("OMP_NUM_THREADS", kept.c_str(), 1);
  else
    unsetenv("OMP_NUM_THREADS");
}

}  // namespace
}  // namespace toy

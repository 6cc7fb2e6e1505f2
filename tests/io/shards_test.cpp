#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "toy/io/gguf.h"

#include "tests/io/expect_error.h"
#include "tests/io/scratch.h"

namespace toy::testing {
namespace {

using ::testing::HasSubstr;

class Shards : public ::testing::Test {
 protected:
  Shards() {
    for (int i = 0; i < 7; ++i) texts_.push_back(std::string(static_cast<std::size_t>(4 * (i + 1)), 'a' + i));
    metadata_.set("general.architecture", "test");
  }

  std::vector<std::filesystem::path> write(int count) {
    std::vector<TensorSource> tensors;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      tensors.push_back({"t" + std::to_string(i),
                         {static_cast<std::int64_t>(i + 1)},
                         DType::F32,
                         std::as_bytes(std::span(texts_[i]))});
    }
    return write_gguf_shards(folder_ / "model", metadata_, tensors, count);
  }

  std::string open_error(const std::filesystem::path& path) {
    return error_of([&] { GgufFile::open(path); });
  }

  /// Writes one shard anew with other split keys.
  void rewrite(const std::filesystem::path& path, const std::string& key, std::uint16_t value) {
    const std::string bytes = read_bytes(path);
    const auto at = bytes.find(key);
    ASSERT_NE(at, std::string::npos);
    std::string changed = bytes;
    changed[at + key.size() + 4] = static_cast<char>(value);
    write_bytes(path, changed);
  }

  ScratchFolder folder_;
  std::vector<std::string> texts_;
  Metadata metadata_;
};

TEST_F(Shards, AreOneModel) {
  for (const int count : {1, 2, 3, 9}) {
    const auto paths = write(count);
    ASSERT_EQ(paths.size(), static_cast<std::size_t>(count));
    const GgufFile model = GgufFile::open(paths[0]);
    EXPECT_EQ(model.paths(), paths);
    EXPECT_EQ(model.metadata().get<std::string>("general.architecture"), "test");
    ASSERT_EQ(model.tensors().size(), texts_.size());
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      const TensorInfo* t = model.find("t" + std::to_string(i));
      ASSERT_NE(t, nullptr);
      const auto bytes = model.data(*t);
      EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), texts_[i]);
    }
  }
}

TEST_F(Shards, NamesFollowTheConvention) { EXPECT_EQ(write(3)[1].filename(), "model-00002-of-00003.gguf"); }

TEST_F(Shards, AnotherThanTheFirstIsRefusedWithTheNameOfTheFirst) {
  const auto paths = write(3);
  EXPECT_THAT(open_error(paths[1]), HasSubstr("is shard 2 of a model: open the first, " + paths[0].string()));
}

TEST_F(Shards, AMissingShardIsNamed) {
  const auto paths = write(3);
  std::filesystem::remove(paths[2]);
  EXPECT_THAT(open_error(paths[0]), HasSubstr(paths[2].string() + ": no such file"));
}

TEST_F(Shards, TheNameMustFitTheCount) {
  const auto paths = write(3);
  std::filesystem::rename(paths[0], folder_ / "other.gguf");
  EXPECT_THAT(open_error(folder_ / "other.gguf"), HasSubstr("expected a name that ends in -00001-of-00003.gguf"));
}

TEST_F(Shards, MustAgreeOnNumberCountAndTensors) {
  auto paths = write(3);
  rewrite(paths[1], "split.no", 2);
  EXPECT_THAT(open_error(paths[0]), HasSubstr("expected shard 2 of 3, its metadata says 3 of 3"));
  write(3);
  rewrite(paths[2], "split.count", 4);
  EXPECT_THAT(open_error(paths[0]), HasSubstr("its metadata says 3 of 4"));
  write(3);
  rewrite(paths[0], "split.tensors.count", 8);
  EXPECT_THAT(open_error(paths[0]), HasSubstr("split.tensors.count says 8, the 3 shards have 7 tensors"));
  write(3);
  rewrite(paths[0], "split.count", 0);
  EXPECT_THAT(open_error(paths[0]), HasSubstr("key split.count: expected an integer from 1"));
}

TEST_F(Shards, ATensorMustNotBeInTwoShards) {
  const auto paths = write(2);
  const std::string name_of_t3 = std::string("\x02\0\0\0\0\0\0\0t3", 10);
  std::string bytes = read_bytes(paths[1]);
  const auto at = bytes.find(name_of_t3);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 9] = '0';
  write_bytes(paths[1], bytes);
  EXPECT_THAT(open_error(paths[0]), HasSubstr("tensor 't0' is also in another shard"));
}

}  // namespace
}  // namespace toy::testing

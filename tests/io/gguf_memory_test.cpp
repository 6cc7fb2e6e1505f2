// How much memory a refusal takes: a child process opens a hostile file and tells the growth of its peak.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "toy/io/gguf.h"
#include "toy/io/safetensors.h"
#include "toy/tensor/error.h"

#include "tests/io/raw_gguf.h"
#include "tests/io/scratch.h"
#include "tests/peak.h"
#include "tests/sanitized.h"

namespace toy::testing {
namespace {

constexpr long allowed_kib = 16 * 1024;

/// Runs in the child: 0 to 250 MiB of growth, 254 when a bad file was not refused, 253 when a good one was.
int measure(bool refused, const std::function<void()>& open) {
  forget_peak();
  const std::int64_t before = peak_bytes();
  try {
    open();
    if (refused) return 254;
  } catch (const Error&) {
    if (!refused) return 253;
  }
  return static_cast<int>(std::min<std::int64_t>(250, (peak_bytes() - before + (1 << 20) - 1) >> 20));
}

void expect_little_memory(const char* what, bool refused, const std::function<void()>& open) {
  if (sanitized()) GTEST_SKIP() << "sanitizers keep memory of their own";
  const pid_t child = ::fork();
  if (child == 0) ::_exit(measure(refused, open));
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << what;
  ASSERT_LT(WEXITSTATUS(status), 253) << what << (refused ? " was not refused" : " was refused");
  EXPECT_LT(WEXITSTATUS(status) * 1024, allowed_kib) << what << ": MiB " << WEXITSTATUS(status);
}

void expect_small_refusal(const char* what, const std::function<void()>& open) {
  expect_little_memory(what, true, open);
}

class RefusingTakesLittleMemory : public ::testing::Test {
 protected:
  /// A file of `bytes` whose rest up to `size` is a hole.
  void expect(const char* what, const std::string& bytes, std::uint64_t size = 0) {
    const auto path = folder_ / "f";
    write_bytes(path, bytes);
    if (size > bytes.size()) std::filesystem::resize_file(path, size);
    expect_small_refusal(what, [&] { GgufFile::open(path); });
  }
  static std::string head(std::uint64_t tensors, std::uint64_t keys) {
    return RawGguf{.tensor_count = tensors, .key_count = keys}.header();
  }
  ScratchFolder folder_;
};

TEST_F(RefusingTakesLittleMemory, OfSmallBombs) {
  expect("key of 2^60 bytes", head(0, 1) + raw(std::uint64_t{1} << 60) + "0123456");
  expect("array of 2^60 numbers", head(0, 1) + raw_array("k", kv::f64, std::uint64_t{1} << 60, ""));
  expect("array of 2^60 texts", head(0, 1) + raw_array("k", kv::string, std::uint64_t{1} << 60, ""));
  expect("2^40 tensors", head(std::uint64_t{1} << 40, 0) + std::string(19, '\0'));
  expect("text of 1 GiB", head(0, 1) + raw_key("k", kv::string, raw(std::uint64_t{1} << 30)));
}

TEST_F(RefusingTakesLittleMemory, OfFilesWithHoles) {
  constexpr std::uint64_t size = std::uint64_t{4} << 30;
  expect("2^26 tensors", head(std::uint64_t{1} << 26, 0), size);
  expect("2^26 keys", head(0, std::uint64_t{1} << 26), size);
  expect("2^16 keys without names", head(0, std::uint64_t{1} << 16), size);
  expect("array of 3 GiB", head(0, 1) + raw_array("k", kv::u8, std::uint64_t{3} << 30, ""), size);
  expect("array of 60 MiB", head(0, 2) + raw_array("k", kv::u8, std::uint64_t{60} << 20, ""), size);
  expect("2^28 empty texts", head(0, 1) + raw_array("k", kv::string, std::uint64_t{1} << 28, ""), size);
  expect("8 million empty texts", head(0, 2) + raw_array("k", kv::string, 8'000'000, ""), size);
  expect("text of 60 MiB", head(0, 2) + raw_key("k", kv::string, raw(std::uint64_t{60} << 20)), size);
}

TEST_F(RefusingTakesLittleMemory, OfLongTables) {
  std::string many_tensors = head(1 << 14, 0);
  for (std::uint64_t i = 0; i + 1 < (1 << 14); ++i) {
    std::string name = std::to_string(i);
    name.resize(64, 'n');
    many_tensors += raw_tensor(name, {1, 1, 1, 1}, ggml::f32, 32 * i);
  }
  expect("16383 tensors and a hole", many_tensors, std::uint64_t{1} << 30);
  std::string long_keys = head(0, 1000);
  for (int i = 0; i < 999; ++i) {
    std::string key = std::to_string(i);
    key.resize(65535, 'k');
    long_keys += raw_key(key, kv::u8, "x");
  }
  expect("999 keys of 65535 bytes", long_keys, long_keys.size() + 64);
  std::string many_keys = head(0, 1 << 12);
  for (int i = 0; i + 1 < (1 << 12); ++i) {
    std::string key = std::to_string(i);
    key.resize(60, 'k');
    many_keys += raw_key(key, kv::u8, "x");
  }
  expect("4095 keys and a hole", many_keys, many_keys.size() + 64);
}

/// Whoever opens a good header may still refuse what it says.
TEST(OpeningTakesLittleMemory, OfLongHeaders) {
  const ScratchFolder folder;
  const auto opened = [&](const char* what, const RawGguf& file, std::uint64_t hole = 0) {
    const auto path = folder / "f";
    write_bytes(path, file.str());
    if (hole > 0) std::filesystem::resize_file(path, file.header().size() + hole);
    expect_little_memory(what, false, [&] { GgufFile::open(path); });
  };
  constexpr std::uint64_t long_value = 60 << 20;
  opened("text", {.keys = {raw_key("k", kv::string, raw(long_value))}}, long_value);
  opened("numbers", {.keys = {raw_array("k", kv::u8, long_value, "")}}, long_value);
  opened("empty texts", {.keys = {raw_array("k", kv::string, long_value / 8, "")}}, long_value);
  RawGguf file;
  for (std::uint64_t i = 0; i < (1 << 14); ++i) {
    std::string name = std::to_string(i);
    if (i < (1 << 12)) {
      file.keys.push_back(raw_key(name + std::string(200, 'k'), kv::string, raw_text(std::string(256, 'x'))));
    }
    name.resize(64, 'n');
    file.tensors.push_back(raw_tensor(name, {1, 1, 1, 1}, ggml::f32, 32 * i));
  }
  file.data = std::string(32 << 14, '\0');
  opened("many keys and tensors", file);
}

TEST_F(RefusingTakesLittleMemory, OfSafetensors) {
  const auto refused = [&](const char* what, const std::string& header, std::uint64_t size) {
    const auto path = folder_ / "s";
    write_bytes(path, raw(size) + header);
    std::filesystem::resize_file(path, size + 8);
    expect_small_refusal(what, [&] { SafetensorsFile::open(path); });
  };
  constexpr std::uint64_t size = 99'000'000;
  refused("a header of zeros", "{", size);
  refused("one endless name", std::string("{\"").append(size, 'n'), size);
  refused("one endless number", std::string("{\"a\":{\"shape\":[").append(size, '1'), size);
  refused("nested arrays", std::string("{\"a\":").append(size - 10, '['), size);
  std::string entries = "{";
  while (entries.size() < size - 300) {
    entries += "\"" + std::to_string(entries.size()) + "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},";
  }
  refused("a million tensors", entries, size);
}

}  // namespace
}  // namespace toy::testing

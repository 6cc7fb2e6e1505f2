// One parameter that is not a number, anywhere in a model, ends generation and scoring.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <limits>

#include "toy/generate/generate.h"
#include "toy/generate/score.h"
#include "toy/tensor/device/cpu/cpu_device.h"

#include "tests/generate/random_model.h"

namespace toy {
namespace {

using testing::HasSubstr;

template <class F>
std::string error_of(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::failed);
    return error.what();
  }
  return "no error";
}

/// Overwrites bytes of a file and puts the old ones back at the end.
class Damage {
 public:
  Damage(const std::filesystem::path& path, std::uint64_t offset, const std::string& bytes)
      : path_(path), offset_(offset) {
    std::ifstream file(path, std::ios::binary);
    before_.resize(bytes.size());
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(before_.data(), static_cast<std::streamsize>(before_.size()));
    put(bytes);
  }
  ~Damage() { put(before_); }
  Damage(const Damage&) = delete;
  Damage& operator=(const Damage&) = delete;

 private:
  void put(const std::string& bytes) {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset_));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  std::filesystem::path path_;
  std::uint64_t offset_;
  std::string before_;
};

/// The first number of a tensor; of Q8_0 the scale of the first block.
std::string not_a_number(DType dtype) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::uint16_t half = float_to_half(nan);
  return dtype == DType::F32 ? std::string(reinterpret_cast<const char*>(&nan), 4)
                             : std::string(reinterpret_cast<const char*>(&half), 2);
}

class NotFinite : public testing::TestWithParam<std::string> {};

TEST_P(NotFinite, ParameterIsToldByGenerationAndScoring) {
  CpuDevice device({.threads = 1, .simd_level = GetParam()});
  const std::vector<std::int32_t> ids{1, 5, 9, 5};
  for (const DType type : {DType::F32, DType::F16, DType::Q8_0}) {
    const test::ModelFile file({.D = 64, .L = 2, .H = 2, .K = 1, .F = 96, .type = type});
    const GgufFile sound = GgufFile::open(file.path());
    for (const DType kv : {DType::F32, DType::F16, DType::Q8_0}) {
      EXPECT_EQ(generate(LanguageModel::open(file.path(), device), ids, {.n = 2, .engine = {.kv = kv}}).ids.size(), 2U);
      for (const TensorInfo& t : sound.tensors()) {
        SCOPED_TRACE(fmt::format("{} {} of {}, {} cache", t.name, name(t.dtype), name(type), name(kv)));
        const Damage damage(file.path(), t.offset, not_a_number(t.dtype));
        const LanguageModel lm = LanguageModel::open(file.path(), device);
        EXPECT_THAT(error_of([&] { generate(lm, ids, {.n = 2, .engine = {.kv = kv}}); }),
                    HasSubstr("the logits are not finite at token 5: found nan for id 0"));
        EXPECT_THAT(error_of([&] { score(lm, ids, {.engine = {.kv = kv}}); }),
                    HasSubstr("the logits are not finite at token 2: found nan for id 0"));
      }
    }
  }
}

std::vector<std::string> level_names() {
  std::vector<std::string> names;
  for (const std::string_view name : cpu_levels()) names.emplace_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Levels, NotFinite, testing::ValuesIn(level_names()),
                         [](const auto& info) { return info.param; });

TEST(Logits, AreFiniteOrNamed) {
  CpuDevice device({.threads = 1});
  const test::ModelFile file({.D = 64, .L = 1, .H = 2, .K = 1, .F = 96});
  const LanguageModel lm = LanguageModel::open(file.path(), device);
  constexpr float most = std::numeric_limits<float>::max(), infinite = std::numeric_limits<float>::infinity();
  EXPECT_NO_THROW(lm.check_logits(std::vector<float>{most, -most, 0.0F, 1e-45F}, 1));
  std::vector<float> logits(259);
  for (const float bad : {infinite, -infinite, std::numeric_limits<float>::quiet_NaN()}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{131}, std::size_t{258}}) {
      logits[at] = bad;
      EXPECT_THAT(error_of([&] { lm.check_logits(logits, 7); }),
                  HasSubstr(fmt::format("at token 7: found {} for id {}", bad, at)));
      logits[at] = 0;
    }
  }
}

}  // namespace
}  // namespace toy

// The threads of the program: how many there are by default, more than the machine has cores, on small stacks.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/process.h"
#include "tests/cli/small_models.h"

namespace toy::testing {
namespace {

using Json = nlohmann::json;

std::string answer(const std::string& threads, const Start& start = {}) {
  const Finished r = toy({"infer", "--prompt", "Once upon a time", "--n", "16", "--threads", threads}, start);
  EXPECT_EQ(r.code, 0) << "signal " << r.signal << "\n" << r.err;
  return r.out;
}

TEST(Threads, more_than_cores_give_the_same_answer) {
  const std::string of_one = answer("1");
  EXPECT_NE(of_one, "");
  EXPECT_EQ(answer("3"), of_one);
  EXPECT_EQ(answer("64"), of_one);
}

TEST(Threads, their_default_follows_omp_num_threads) {
  const Finished r =
      toy({"bench", "-p", "16", "-n", "0", "-r", "1", "--json"}, {.environment = {{"OMP_NUM_THREADS", "1"}}});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(Json::parse(r.out).at("machine").at("threads"), 1);
}

TEST(Threads, stacks_may_be_small) {
  const Start small{.stack_bytes = 128U << 10};
  EXPECT_EQ(answer("4", small), answer("1"));
  const Folder folder;
  write_file(folder / "corpus.txt", answer("1"));
  for (const char* const dtype : {"f32", "bf16"}) {
    const Finished r = toy({"train", "from-scratch", "--corpus", "corpus.txt", "--vocab", "byte", "--steps", "2",
                            "--batch-size", "2", "--context", "32", "--threads", "4", "--dtype", dtype, "--quiet"},
                           {.folder = folder.str(), .stack_bytes = small.stack_bytes});
    EXPECT_EQ(r.code, 0) << "signal " << r.signal << "\n" << r.err;
  }
}

}  // namespace
}  // namespace toy::testing

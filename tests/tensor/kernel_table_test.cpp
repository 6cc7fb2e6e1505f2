// The table of kernels, with ops of its own.
#include "toy/tensor/kernel_table.h"

#include <gtest/gtest.h>

#include <utility>

#include "toy/tensor/team.h"

namespace toy {
namespace {

/// Ops that share a name, so that their searches begin at one row.
template <int i>
struct NumberedArgs {
  static constexpr Op op{"numbered", "y = i", false};
  int* y;
};
template <int i>
void put_number(const NumberedArgs<i>& a, const Team&) {
  *a.y = i;
}

template <class Number>
struct SizedArgsOf {
  static constexpr Op op{"sized", "y = bytes of a number", false};
  std::size_t* y;
};
template <class Number>
void put_size(const SizedArgsOf<Number>& a, const Team&) {
  *a.y = sizeof(Number);
}

/// What the kernel of op i writes; -1 without one.
template <int i>
int number(const KernelTable& table, const Team& team) {
  int y = -1;
  if (const auto kernel = table.get<NumberedArgs<i>>(); kernel != nullptr) kernel({&y}, team);
  return y;
}

TEST(KernelTable, FindsEachOfManyOpsByItsArguments) {
  const Team team;
  KernelTable table;
  [&]<int... i>(std::integer_sequence<int, i...>) {
    (table.set<NumberedArgs<i>>(&put_number<i>), ...);
    const int found[] = {number<i>(table, team)...};
    for (int n = 0; n < 300; ++n) EXPECT_EQ(found[n], n);
  }
  (std::make_integer_sequence<int, 300>());
  EXPECT_EQ(number<300>(table, team), -1);
  ASSERT_EQ(table.ops().size(), 1U);
  EXPECT_EQ(table.ops()[0].formula, "y = i");
}

TEST(KernelTable, ALaterKernelReplacesAnEarlierOne) {
  const Team team;
  KernelTable table;
  table.set<NumberedArgs<1>>([](const NumberedArgs<1>& a, const Team&) { *a.y = 5; });
  table.set<NumberedArgs<1>>(&put_number<1>);
  EXPECT_EQ(number<1>(table, team), 1);
}

TEST(KernelTable, TellsTheNumberTypesOfAnOpApart) {
  const Team team;
  KernelTable table;
  table.set<SizedArgsOf<float>>(&put_size<float>);
  EXPECT_TRUE(table.has("sized", DType::F32));
  EXPECT_FALSE(table.has("sized", DType::F64));
  EXPECT_EQ(table.get<SizedArgsOf<double>>(), nullptr);
  table.set<SizedArgsOf<double>>(&put_size<double>);
  std::size_t bytes = 0;
  table.get<SizedArgsOf<float>>()({&bytes}, team);
  EXPECT_EQ(bytes, 4U);
  table.get<SizedArgsOf<double>>()({&bytes}, team);
  EXPECT_EQ(bytes, 8U);
  EXPECT_TRUE(table.has("sized", DType::F64));
  EXPECT_EQ(table.ops().size(), 1U);
}

}  // namespace
}  // namespace toy

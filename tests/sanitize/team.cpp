// Every element is handed from one member of a team to another, each time from one region to the next.
#include "toy/tensor/team.h"

#include <cstdio>
#include <numeric>
#include <vector>

int main() {
  const toy::Team team(3);
  std::vector<double> y(1000);
  const auto size = static_cast<std::int64_t>(y.size());
  for (int step = 0; step < 200; ++step) {
    team.share(size, [&](std::int64_t i) { y[static_cast<std::size_t>(i)] += 1; });
    team.share(size, [&](std::int64_t i) { y[static_cast<std::size_t>(size - 1 - i)] += 1; });
    y[0] = std::accumulate(y.begin(), y.end(), 0.0);
  }
  std::printf("%g\n", std::accumulate(y.begin(), y.end(), 0.0));
}

// Every element is handed from one thread to another, each time across a barrier of OpenMP.
#include <cstdio>
#include <numeric>
#include <vector>

int main() {
  std::vector<double> y(1000);
  for (int step = 0; step < 20; ++step) {
#pragma omp parallel num_threads(2)
    {
#pragma omp for schedule(static)
      for (std::size_t i = 0; i < y.size(); ++i) y[i] += 1;
#pragma omp for schedule(dynamic, 10)
      for (std::size_t i = 0; i < y.size(); ++i) y[y.size() - 1 - i] += 1;
    }
    double sum = 0;
#pragma omp parallel for num_threads(2) reduction(+ : sum)
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i];
    y[0] = sum;
  }
  std::printf("%g\n", std::accumulate(y.begin(), y.end(), 0.0));
}

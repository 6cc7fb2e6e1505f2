// Two threads add to one sum.
#include <cstdio>

int main() {
  double sum = 0;
#pragma omp parallel for num_threads(2)
  for (int i = 0; i < 10000; ++i) sum += i;
  std::printf("%g\n", sum);
}

// Two threads add to one sum.
#include <cstdio>
#include <thread>

int main() {
  double sum = 0;
  const auto add = [&] {
    for (int i = 0; i < 10000; ++i) sum += i;
  };
  std::thread other(add);
  add();
  other.join();
  std::printf("%g\n", sum);
}

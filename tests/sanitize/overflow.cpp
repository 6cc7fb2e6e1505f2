// Reads one element behind the end.
#include <cstddef>
#include <cstdio>
#include <vector>

int main(int argc, char**) {
  const std::vector<int> a(16);
  const int* first = a.data();
  std::printf("%d\n", first[15 + static_cast<std::size_t>(argc)]);
}

// The program toy.
#include <string>
#include <vector>

#include "toy/cli/program.h"

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0), argv + argc);
  return toy::cli::run(words, argc > 0 ? argv[0] : "toy");
}

#!/bin/sh
. "$(dirname "$0")/lib.sh"

printf 'tensor\nio\nnn\n' | put cmake/floors.txt
echo '#include "toy/tensor/shape.h"' | put toy/nn/linear.h
printf '#include <vector>\n#include "toy/nn/linear.h"\n#include "tests/nn/sample.h"\n' | put tests/nn/linear_test.cpp
echo '#include "tests/nn/sample.h"' | put bench/linear_bench.cpp
good floors

echo '#include "toy/nn/linear.h"' | put toy/io/file.h
bad floors "toy/io/file.h:1: floor io includes the higher floor nn"
rm "$tree/toy/io/file.h"

printf '// a comment\n  #  include "shape.h"\n' | put toy/tensor/shape.cpp
bad floors 'toy/tensor/shape.cpp:2: "shape.h" does not start with toy/'
rm "$tree/toy/tensor/shape.cpp"

echo '#include "tests/nn/sample.h"' | put toy/nn/linear.cpp
bad floors "does not start with toy/"
rm "$tree/toy/nn/linear.cpp"

echo '#include "toy/cellar/wine.h"' | put toy/nn/linear.cpp
bad floors "no floor cellar"
rm "$tree/toy/nn/linear.cpp"
good floors

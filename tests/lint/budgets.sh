#!/bin/sh
. "$(dirname "$0")/lib.sh"

# function_of LINES HEAD: a function of that many lines.
function_of() {
  echo "$2 {"
  repeat "$(($1 - 2))" "  x += 1;"
  echo "}"
}

{
  echo 'namespace toy {'
  echo '/* { not a brace */  // { nor this'
  echo '#define OPEN {'
  echo "constexpr char open = '{', text[] = \"{\", more[] = R\"x({{)\" {)x\";  int n = 1'000'000;"
  echo 'constexpr std::array table = {'
  repeat 100 '    Row{"x", {1, 2}},'
  echo '};'
  echo 'class Block {'
  echo ' public:'
  repeat 90 '  int f() const { return 1; }'
  echo '  Block() : a_{1}, b_{2} {}'
  echo '};'
  echo 'template <class A, class B = std::vector<A>> struct Pair : Base<A> {'
  repeat 90 '  A f();'
  echo '};'
  function_of 80 'template <class T> T largest(std::span<const T> a)'
  function_of 40 'Tensor Block::forward(Tensor x, Context& ctx) const'
  echo '}  // namespace toy'
} | put toy/nn/block.cpp
good budgets

function_of 81 'std::vector<int> too_long(const std::vector<int>& a)' | put toy/nn/long.cpp
bad budgets "toy/nn/long.cpp:1: function of 81 lines, at most 80: std::vector<int> too_long"
{
  echo 'namespace toy {'
  echo 'struct Block {'
  echo ' public:'
  function_of 81 '  Block() : a_{1}, b_(2), c_{3}'
  echo '};'
  echo '}'
} | put toy/nn/long.cpp
bad budgets "toy/nn/long.cpp:4: function of 81 lines"
{
  echo 'void shorter() {'
  echo '  if (x) {'
  repeat 90 "  y += '}' + \"}\" + 1;"
  echo '  }'
  echo '}'
} | put toy/nn/long.cpp
bad budgets "toy/nn/long.cpp:1: function of 94 lines"
function_of 41 'Tensor Block::forward(Tensor x, Context& ctx) const' | put toy/nn/long.cpp
bad budgets "function of 41 lines, at most 40"
printf 'int f() {\n  // %s\n}\n' "$(repeat 1 "$(printf '%0116d' 0)")" | put toy/nn/long.cpp
bad budgets "toy/nn/long.cpp:2: line of 121 columns"
rm "$tree/toy/nn/long.cpp"

repeat 151 'int x;' | put toy/models/llama.cpp
bad budgets "file of 151 lines, at most 150"
repeat 150 'int x;' | put toy/models/llama.cpp
good budgets

#!/bin/sh
. "$(dirname "$0")/lib.sh"

table() { put toy/tensor/op_table.h; }
add() { printf 'Tensor add(const Tensor& a, const Tensor& b);\nstruct AddArgs {\n  static constexpr Op op{"add"};\n};\n'; }
gelu() { printf 'Tensor gelu(const Tensor& x);\n'; }

echo '    OpInfo{"add", "y = a + b", false},' | table
add | put toy/tensor/ops/add.h
good ops

printf '    OpInfo{"add", "", false},\n    OpInfo{"mul", "", false},\n' | table
bad ops 'op_table.h:2: no header of toy/tensor/ops has Op op{"mul"}'
bad ops 'op_table.h:2: no header of toy/tensor/ops has function mul()'
echo '    OpInfo{"add", "", false},' | table

gelu | put toy/tensor/ops/gelu.h
bad ops "toy/tensor/ops/gelu.h:1: function gelu returns tensors, but is not an op"
echo '  static constexpr Op op{"gelu"};' | put toy/tensor/ops/gelu.h
bad ops "toy/tensor/ops/gelu.h:1: op gelu is not in"
add | put toy/tensor/ops/gelu.h
bad ops "op add is also in toy/tensor/ops/add.h"
rm "$tree/toy/tensor/ops/gelu.h"

printf '    OpInfo{"add", "", false},\n    OpInfo{"add", "", false},\n' | table
bad ops "op add stands twice"

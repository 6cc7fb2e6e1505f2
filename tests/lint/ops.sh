#!/bin/sh
. "$(dirname "$0")/lib.sh"

loops() { put toy/tensor/device/cpu/ref_kernels.cpp; }
add() { printf 'Tensor add(const Tensor& a, const Tensor& b);\nstruct AddArgs {\n  static constexpr Op op{"add", "y = a + b", true};\n};\n'; }
gelu() { printf 'Tensor gelu(const Tensor& x);\n'; }

echo '  set<AddArgs, add_ref>(table);' | loops
add | put toy/tensor/ops/add.h
good ops

echo '  set<AddArgsOf<Number>, add_ref<Number>>(table);' | loops
bad ops "toy/tensor/ops/add.h:3: op add: toy/tensor/device/cpu/ref_kernels.cpp sets no loop for AddArgs"
echo '  set<AddArgs, add_ref>(table); table.set<GeluArgs>(f);' | loops

gelu | put toy/tensor/ops/gelu.h
bad ops "toy/tensor/ops/gelu.h:1: function gelu returns tensors, but no struct has Op"
printf 'struct GeluArgs {\n  static constexpr Op op{"gelu", "", true};\n};\n' | put toy/tensor/ops/gelu.h
bad ops "toy/tensor/ops/gelu.h:2: op gelu has no function gelu()"
add | put toy/tensor/ops/gelu.h
bad ops "op add is also in toy/tensor/ops/add.h"

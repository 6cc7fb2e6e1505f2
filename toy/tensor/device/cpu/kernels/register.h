// What the sources of a level enter into its table of kernels. Each is one object, so that none takes long to compile
// and a change recompiles its own part of every level.
#pragma once

#include "toy/tensor/device/cpu/level.h"

namespace toy::cpu::TOY_LEVEL {

void add_product_kernels(KernelTable& table);             // product.cpp
void add_packed_product_kernels(KernelTable& table);      // packed_product.cpp
void add_attention_kernels(KernelTable& table);           // attention.cpp
void add_attention_backward_kernels(KernelTable& table);  // attention_backward.cpp
void add_row_kernels(KernelTable& table);                 // rows.cpp

/// Re-lays rows of a weight as panels (product.cpp).
void pack_panels(const PackArgs& args);

/// Multiplies by the weights of a call that lie in rows of floats, which are packed on the way; needs a.panels
/// (packed_product.cpp).
void linear_rows(const LinearArgs& args, const Team& team);

/// Run a micro-kernel in one form, a microsecond or less for each round, on `trial_floats` floats of memory. Return the
/// operations, a multiply-add as two.
std::int64_t run_packed_tile(Broadcast form, bool bf16, int rounds, float* memory);    // packed_product.cpp
std::int64_t run_panel_tile(Broadcast form, int rounds, float* memory);                // product.cpp
std::int64_t run_attention_tiles(Broadcast form, int rounds, float* memory);           // attention.cpp
std::int64_t run_attention_backward_tiles(Broadcast form, int rounds, float* memory);  // attention_backward.cpp

}  // namespace toy::cpu::TOY_LEVEL

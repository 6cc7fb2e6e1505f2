// Products with weights in panels, and rows of such weights.
#include "toy/tensor/device/cpu/kernels/product.h"

#include "toy/tensor/device/cpu/kernels/gather.h"
#include "toy/tensor/device/cpu/kernels/pack.h"
#include "toy/tensor/device/cpu/kernels/register.h"

namespace toy::cpu::TOY_LEVEL {

void add_product_kernels(KernelTable& table) {
  table.set<LinearArgs>(&linear);
  table.set<GatherArgs>(&gather);
}

void pack_panels(const PackArgs& args) { pack(args); }

}  // namespace toy::cpu::TOY_LEVEL

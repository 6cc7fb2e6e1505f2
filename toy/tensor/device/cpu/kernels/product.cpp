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

std::int64_t run_panel_tile(Broadcast form, float* memory) {
  constexpr int rows = tile_rows<F32Panel>;
  float *x = memory + slice_numbers * panel_width, *y = x + rows * slice_numbers;
  ProductTile t{};
  t.panel = reinterpret_cast<const std::byte*>(memory);
  t.x = reinterpret_cast<const std::byte*>(x);
  t.x_stride = 4 * slice_numbers;
  t.K = slice_numbers;
  t.y = y;
  t.y_stride = panel_width;
  tile_function<F32Panel>(rows, 1, form)(t);
  return 2 * rows * panel_width * slice_numbers;
}

void pack_panels(const PackArgs& args) { pack(args); }

}  // namespace toy::cpu::TOY_LEVEL

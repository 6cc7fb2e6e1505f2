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

std::int64_t run_panel_tile(Broadcast form, int rounds, float* memory) {
  constexpr int rows = tile_rows<F32Panel>;
  constexpr std::int64_t K = 128;
  float *x = memory + K * panel_width, *y = x + rows * K;
  ProductTile t{};
  t.panel = reinterpret_cast<const std::byte*>(memory);
  t.x = reinterpret_cast<const std::byte*>(x);
  t.x_stride = 4 * K;
  t.K = K;
  t.y = y;
  t.y_stride = panel_width;
  for (int i = 0; i < rounds; ++i) tile_function<F32Panel>(rows, 1, form)(t);
  return rounds * 2 * rows * panel_width * K;
}

void pack_panels(const PackArgs& args) { pack(args); }

}  // namespace toy::cpu::TOY_LEVEL

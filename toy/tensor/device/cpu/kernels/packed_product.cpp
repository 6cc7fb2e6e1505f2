// Products that pack their factors on the way: by weights in rows, and the gradients of products.
#include "toy/tensor/device/cpu/kernels/linear_backward.h"
#include "toy/tensor/device/cpu/kernels/register.h"

namespace toy::cpu::TOY_LEVEL {

void linear_rows(const LinearArgs& a, const Team& team) {
  ProductPlan plan;
  plan.threads = team.threads();
  plan.cells = kind_of_cells(a.precision);
  plan.form = packed_form(team.forms(), a.precision);
  float* memory = a.panels;
  for (int i = 0; i < a.count; ++i) {
    const LinearArgs::Output& out = a.outputs.data()[i];
    if (out.layout != Layout::rows) continue;
    Product& p = plan.products[plan.product_count++] = {
        a.x, a.K, 1, reinterpret_cast<const float*>(out.weight), 1, a.K, out.y, out.N, a.T, out.N, a.K};
    p.bias = out.bias;
    place_panels(p, memory);
    if (!a.packed) pack_later(plan, p);
  }
  if (plan.product_count == 0) return;
  add_chain(plan, plan.products, plan.product_count, true, team.threads());
  plan.first = 1;
  run_plan_of(plan, team, plan.operations < 1 << 18 ? 1 : team.threads());
}

namespace {

/// The packed tile of those cells, on 128 of them.
template <class Cell>
std::int64_t run_tile(Broadcast form, int rounds, float* memory) {
  constexpr std::int64_t cells = 128;
  constexpr std::int64_t rows = tile_rows_of(Cell::multiple > 1 ? CellKind::tiles : CellKind::pairs);
  float *a = memory + cells * panel_width, *c = a + rows * short_rows;
  const PackedTile tile{a, memory, panel_width, cells, c, panel_width, false, nullptr};
  [[maybe_unused]] const std::conditional_t<(Cell::multiple > 1), TileRegisters, Known<0>> registers;
  for (int i = 0; i < rounds; ++i) {
    if constexpr (Cell::multiple > 1) {
      multiply_registers<2, 2>(tile, short_rows);
    } else {
      packed_tile<Cell, rows_of_a<short_rows>>(rows, form)(tile);
    }
  }
  return rounds * 2 * rows * panel_width * cells * Cell::per_cell;
}

}  // namespace

std::int64_t run_packed_tile(Broadcast form, bool bf16, int rounds, float* memory) {
  if (!bf16) return run_tile<Singles>(form, rounds, memory);
  using Fast = std::conditional_t<has_tiles, Tiles, FastPairs>;
  return has_tiles || has_dot_pairs() ? run_tile<Fast>(form, rounds, memory) : run_tile<Pairs>(form, rounds, memory);
}

void add_packed_product_kernels(KernelTable& table) { table.set<LinearBackwardArgs>(&linear_backward); }

}  // namespace toy::cpu::TOY_LEVEL

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
  run_plan(plan, team, plan.operations < 1 << 18 ? 1 : team.threads());
}

void add_packed_product_kernels(KernelTable& table) { table.set<LinearBackwardArgs>(&linear_backward); }

}  // namespace toy::cpu::TOY_LEVEL

// Gradients of the product: dx = dy W, dW = dy^T x, db = the rows of dy summed; all pieces in one parallel region.
#pragma once

#include "toy/tensor/device/cpu/kernels/gemm.h"
#include "toy/tensor/device/cpu/kernels/pieces.h"
#include "toy/tensor/ops/linear.h"

namespace toy::cpu::TOY_LEVEL {

/// y[i] = sum over t of x[t * stride + i], i in `columns`, 256 rows at a time; or added to y.
inline void sum_columns(const float* x, std::int64_t stride, std::int64_t T, Range columns, float* y, bool add) {
  std::int64_t i = columns.begin;
  for (; i < columns.end; i += lanes) {
    const std::int64_t n = min(lanes, columns.end - i);
    vf total = {};
    for (std::int64_t t0 = 0; t0 < T; t0 += 256) {
      vf sum = {};
      const std::int64_t end = min(T, t0 + 256);
      if (n == lanes) {
        for (std::int64_t t = t0; t < end; ++t) sum += load(x + t * stride + i);
      } else {
        for (std::int64_t t = t0; t < end; ++t) sum += load_part(x + t * stride + i, n);
      }
      total += sum;
    }
    if (add) total += n == lanes ? load(y + i) : load_part(y + i, n);
    n == lanes ? store(y + i, total) : store_part(y + i, total, n);
  }
}

inline constexpr std::int64_t bias_piece = 64;  // columns

/// dx = sum of dy_i W_i as one chain; then a chain for each dW_i, which share x as b.
inline void plan(const LinearBackwardArgs& a, std::int64_t threads, ProductPlan& plan) {
  const LinearBackwardArgs::Output* outputs = a.outputs.data();
  float* memory = a.scratch;
  Product* const sum = plan.products;
  for (int i = 0; i < a.count && a.dx != nullptr; ++i) {
    const auto& out = outputs[i];
    Product& p =
        plan.products[plan.product_count++] = {out.dy, out.N, 1, out.weight, a.K, 1, a.dx, a.K, a.T, a.K, out.N};
    p.add = i > 0;
    pack_later(plan, p, memory, a.packed);
  }
  if (plan.product_count > 0) add_chain(plan, sum, plan.product_count, false, threads);
  plan.first = plan.chain_count;
  float* x_panels = nullptr;
  for (int i = 0; i < a.count; ++i) {
    const auto& out = outputs[i];
    if (out.dW == nullptr) continue;
    Product& p = plan.products[plan.product_count++] = {out.dy, 1, out.N, a.x, a.K, 1, out.dW, a.K, out.N, a.K, a.T};
    p.add = out.add_dW;
    if (x_panels == nullptr) {
      pack_later(plan, p, memory);
      x_panels = p.panels;
    }
    p.panels = x_panels;
    add_chain(plan, &p, 1, false, threads);
  }
}

/// Columns [begin, begin + bias_piece) of the biases, one after the other.
inline void sum_bias_piece(const LinearBackwardArgs& a, std::int64_t begin) {
  std::int64_t first = 0;
  for (int i = 0; i < a.count; ++i) {
    const auto& out = a.outputs.data()[i];
    if (out.db == nullptr) continue;
    const Range columns{max(begin - first, 0), min(begin + bias_piece - first, out.N)};
    if (columns.begin < columns.end) sum_columns(out.dy, out.N, a.T, columns, out.db, out.add_db);
    first += out.N;
  }
}

inline void linear_backward(const LinearBackwardArgs& a, const Team& team) {
  ProductPlan work;
  plan(a, team.threads, work);
  if (a.dx != nullptr && a.count == 0) __builtin_memset(a.dx, 0, static_cast<std::size_t>(4 * a.T * a.K));
  std::int64_t bias_columns = 0;
  for (int i = 0; i < a.count; ++i) bias_columns += a.outputs.data()[i].db != nullptr ? a.outputs.data()[i].N : 0;
  const int threads = work.operations < 1 << 18 ? 1 : team.threads;
  run_plan(work, a.precision, threads, (bias_columns + bias_piece - 1) / bias_piece,
           [&](std::int64_t i) { sum_bias_piece(a, i * bias_piece); });
}

}  // namespace toy::cpu::TOY_LEVEL

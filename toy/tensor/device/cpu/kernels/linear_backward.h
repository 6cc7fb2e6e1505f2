// Gradients of the product: dx = dy W, dW = dy^T x, db = the rows of dy summed; all pieces in one parallel region.
#pragma once

#include "toy/tensor/device/cpu/kernels/column_sums.h"
#include "toy/tensor/device/cpu/kernels/gemm.h"
#include "toy/tensor/device/cpu/kernels/pieces.h"
#include "toy/tensor/ops/linear.h"

namespace toy::cpu::TOY_LEVEL {

/// y += x
inline void add_few(float* y, const float* x, std::int64_t n) {
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(y + i, load(y + i) + load(x + i));
  if (i < n) store_part(y + i, load_part(y + i, n - i) + load_part(x + i, n - i), n - i);
}

/// The rows of x and dy, in one part or in two. The sums of the second part of output i lie in the scratch: dW [N, K],
/// and db [N] behind it.
struct RowParts {
  Range range[2];
  int count;
  float* second[LinearArgs::max_weights];
};

inline RowParts row_parts(const LinearBackwardArgs& a) {
  RowParts parts{{{0, a.T}, {}}, 1, {}};
  std::int64_t N = 0;
  for (int i = 0; i < a.count; ++i) N += a.outputs.data()[i].N;
  if (!sums_in_halves(a.T, a.K, N)) return parts;
  parts.range[1] = {a.T / 2 / 12 * 12, a.T};  // whole tiles on every level but v4_amx
  parts.range[0].end = parts.range[1].begin;
  parts.count = 2;
  float* memory = a.scratch + linear_backward_panels(a.T, a.K, N, a.count);
  for (int i = 0; i < a.count; ++i) {
    parts.second[i] = memory;
    memory += a.outputs.data()[i].N * (a.K + 1);
  }
  return parts;
}

/// dx = sum of dy_i W_i as one chain; then for each part of the rows a chain for each dW_i, which share x as b.
inline void plan(const LinearBackwardArgs& a, const RowParts& rows, std::int64_t threads, ProductPlan& plan) {
  const LinearBackwardArgs::Output* outputs = a.outputs.data();
  plan.threads = threads;
  plan.cells = kind_of_cells(a.precision);
  float* memory = a.scratch;
  for (int i = 0; i < a.count && a.dx != nullptr; ++i) {
    const auto& out = outputs[i];
    Product& p =
        plan.products[plan.product_count++] = {out.dy, out.N, 1, out.weight, a.K, 1, a.dx, a.K, a.T, a.K, out.N};
    p.add = i > 0;
    place_panels(p, memory);
  }
  const int maps = plan.product_count;
  if (maps > 0) add_chain(plan, plan.products, maps, false, threads);
  plan.first = plan.chain_count;
  plan.parts = rows.count;
  const Product* b[2] = {};  // whose panels of x the others share
  for (int part = 0; part < rows.count; ++part) {
    const std::int64_t begin = rows.range[part].begin, T = rows.range[part].end - begin;
    for (int i = 0; i < a.count; ++i) {
      const auto& out = outputs[i];
      if (out.dW == nullptr) continue;
      const float *dy = out.dy + begin * out.N, *x = a.x + begin * a.K;
      float* dW = part == 0 ? out.dW : rows.second[i];
      Product& p = plan.products[plan.product_count++] = {dy, 1, out.N, x, a.K, 1, dW, a.K, out.N, a.K, T};
      p.add = part == 0 && out.add_dW;
      if (b[part] == nullptr) {
        place_panels(p, memory);
        b[part] = &p;
      }
      p.panels = b[part]->panels;
      add_chain(plan, &p, 1, false, rows.count == 2 ? (threads + 1) / 2 : threads);
    }
  }
  // The first thread packs the first part of x and the first half of the weights.
  if (b[0] != nullptr) pack_later(plan, *b[0]);
  for (int i = 0; i < maps && !a.packed; ++i) pack_later(plan, plan.products[i]);
  if (b[1] != nullptr) pack_later(plan, *b[1]);
}

inline constexpr std::int64_t bias_piece = 64;  // columns
inline constexpr std::int64_t sum_piece = 16;   // rows of dW

/// The N of all outputs one after the other: f(output i, range of its N) for those in [begin, begin + size).
template <class F>
void each_output(const LinearBackwardArgs& a, std::int64_t begin, std::int64_t size, const F& f) {
  std::int64_t first = 0;
  for (int i = 0; i < a.count; ++i) {
    const std::int64_t N = a.outputs.data()[i].N;
    const Range here{max(begin - first, 0), min(begin + size - first, N)};
    if (here.begin < here.end) f(i, here);
    first += N;
  }
}

inline void linear_backward(const LinearBackwardArgs& a, const Team& team) {
  const RowParts rows = row_parts(a);
  ProductPlan work;
  work.form = packed_form(team.forms(), a.precision);
  plan(a, rows, team.threads(), work);
  if (a.dx != nullptr && a.count == 0) __builtin_memset(a.dx, 0, static_cast<std::size_t>(4 * a.T * a.K));
  std::int64_t columns = 0;
  bool biases = false;
  for (int i = 0; i < a.count; ++i) {
    columns += a.outputs.data()[i].N;
    biases = biases || a.outputs.data()[i].db != nullptr;
  }
  const auto sum_bias = [&](std::int64_t part, std::int64_t piece) {
    each_output(a, piece * bias_piece, bias_piece, [&](int i, Range here) {
      const auto& out = a.outputs.data()[i];
      const Range range = rows.range[part];
      if (out.db == nullptr) return;
      sum_columns(out.dy + range.begin * out.N, out.N, range.end - range.begin, here,
                  part == 0 ? out.db : rows.second[i] + out.N * a.K, part == 0 && out.add_db);
    });
  };
  const auto add_second = [&](std::int64_t piece) {
    each_output(a, piece * sum_piece, sum_piece, [&](int i, Range here) {
      const auto& out = a.outputs.data()[i];
      const float* sums = rows.second[i];
      if (out.dW != nullptr) add_few(out.dW + here.begin * a.K, sums + here.begin * a.K, (here.end - here.begin) * a.K);
      if (out.db != nullptr) add_few(out.db + here.begin, sums + out.N * a.K + here.begin, here.end - here.begin);
    });
  };
  const int threads = work.operations < 1 << 18 ? 1 : team.threads();
  run_plan_of(work, team, threads, biases ? (columns + bias_piece - 1) / bias_piece : 0, sum_bias,
              rows.count == 2 ? (columns + sum_piece - 1) / sum_piece : 0, add_second);
}

}  // namespace toy::cpu::TOY_LEVEL

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

/// What one call has to do: at most one chain for dx, one product for each dW; then the biases.
struct LinearBackwardWork {
  Product products[2 * LinearArgs::max_weights];
  Chain chains[1 + LinearArgs::max_weights];
  int chain_count = 0;
  bool dx_first = false;          // the first chain
  std::int64_t bias_columns = 0;  // of all biases
  std::int64_t operations = 0;
};

inline constexpr std::int64_t bias_piece = 64;  // columns

inline void add_chain(LinearBackwardWork& w, const Product* products, std::int64_t count, std::int64_t threads) {
  Chain& chain = w.chains[w.chain_count++] = {products, count};
  cut(chain, threads == 1 ? 1 : 2 * threads);
  for (std::int64_t i = 0; i < count; ++i) w.operations += products[i].M * products[i].N * products[i].K;
}

inline void plan(const LinearBackwardArgs& a, std::int64_t threads, LinearBackwardWork& w) {
  Product* next = w.products;
  const LinearBackwardArgs::Output* outputs = a.outputs.data();
  if (a.dx != nullptr && a.count > 0) {
    for (int i = 0; i < a.count; ++i) {
      const auto& out = outputs[i];
      *next++ = {out.dy, out.N, 1, out.weight, a.K, 1, a.dx, a.K, a.T, a.K, out.N, i > 0};
    }
    add_chain(w, w.products, a.count, threads);
    w.dx_first = true;
  }
  for (int i = 0; i < a.count; ++i) {
    const auto& out = outputs[i];
    if (out.db != nullptr) w.bias_columns += out.N;
    if (out.dW == nullptr) continue;
    *next = {out.dy, 1, out.N, a.x, a.K, 1, out.dW, a.K, out.N, a.K, a.T, out.add_dW};
    add_chain(w, next++, 1, threads);
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
  LinearBackwardWork work;
  plan(a, team.threads, work);
  if (a.dx != nullptr && a.count == 0) __builtin_memset(a.dx, 0, static_cast<std::size_t>(4 * a.T * a.K));
  std::int64_t last = 0;  // pieces of all dW, and of the biases
  for (int c = work.dx_first ? 1 : 0; c < work.chain_count; ++c) last += work.chains[c].pieces();
  last += (work.bias_columns + bias_piece - 1) / bias_piece;
  const int threads = work.operations < 1 << 18 ? 1 : team.threads;
  Pieces rows(work.dx_first ? work.chains[0].pieces() : 0, threads), rest(last, threads);
#pragma omp parallel num_threads(threads) if (threads > 1)
  {
    rows.work([&](std::int64_t i) { multiply_piece(work.chains[0], i); });
    rest.work([&](std::int64_t i) {
      int c = work.dx_first ? 1 : 0;
      for (; c < work.chain_count && i >= work.chains[c].pieces(); ++c) i -= work.chains[c].pieces();
      if (c < work.chain_count) {
        multiply_piece(work.chains[c], i);
      } else {
        sum_bias_piece(a, i * bias_piece);
      }
    });
  }
}

}  // namespace toy::cpu::TOY_LEVEL

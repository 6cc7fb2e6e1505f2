// Products of two matrices that both change from call to call: packed on the way, piece by piece.
// Each c[m, n] is one lane of one accumulator that takes k in ascending order; nothing else changes its bytes.
#pragma once

#include "toy/tensor/device/cpu/kernels/math.h"
#include "toy/tensor/device/cpu/kernels/panels.h"

namespace toy::cpu::TOY_LEVEL {

/// c [M, N] = a [M, K] b [K, N], or c + a b where `add`. Strides in floats; of each pair one is 1.
struct Product {
  const float* a;
  std::int64_t a_m, a_k;
  const float* b;
  std::int64_t b_k, b_n;
  float* c;
  std::int64_t c_m;
  std::int64_t M, N, K;
  bool add;
};

inline constexpr int tile_height = vector_bytes == 64 ? 12 : 6;  // rows of c whose sums stay in registers
inline constexpr std::int64_t block_height = 16 * tile_height;   // rows of a that are packed together
inline constexpr std::int64_t block_depth = 256;                 // k that are packed together

/// to[c][r] = from[r][c] for 4 x 4 floats.
inline void turn_quad(const float* from, std::int64_t from_stride, float* to, std::int64_t to_stride) {
  quarter r[4];
  for (int i = 0; i < 4; ++i) __builtin_memcpy(&r[i], from + i * from_stride, 16);
  const quarter low01 = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
  const quarter high01 = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
  const quarter low23 = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
  const quarter high23 = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
  const quarter turned[4] = {
      __builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
      __builtin_shufflevector(high01, high23, 0, 1, 4, 5), __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
  for (int i = 0; i < 4; ++i) __builtin_memcpy(to + i * to_stride, &turned[i], 16);
}

/// to [columns][width] <- from [rows][columns], rows <= width; what is beyond `rows` stays as it is.
inline void turn(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t columns, float* to,
                 std::int64_t width) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    std::int64_t k = 0;
    for (; k + 4 <= columns; k += 4) turn_quad(from + r * stride + k, stride, to + k * width + r, width);
    for (; k < columns; ++k) {
      for (int i = 0; i < 4; ++i) to[k * width + r + i] = from[(r + i) * stride + k];
    }
  }
  for (; r < rows; ++r) {
    for (std::int64_t k = 0; k < columns; ++k) to[k * width + r] = from[r * stride + k];
  }
}

/// to [K][width] <- rows [K][n] that lie `stride` apart, n <= width.
template <int width>
void copy_rows(const float* from, std::int64_t stride, std::int64_t K, std::int64_t n, float* to) {
  if (n == width) {
    for (std::int64_t k = 0; k < K; ++k) __builtin_memcpy(to + k * width, from + k * stride, 4 * width);
    return;
  }
  for (std::int64_t k = 0; k < K; ++k) {
    for (std::int64_t i = 0; i < n; ++i) to[k * width + i] = from[k * stride + i];
  }
}

/// Rows `rows` and k `depth` of a as [k][tile_height].
inline void pack_a(const Product& p, Range rows, Range depth, float* to) {
  const float* from = p.a + rows.begin * p.a_m + depth.begin * p.a_k;
  const std::int64_t n = rows.end - rows.begin, K = depth.end - depth.begin;
  if (p.a_m == 1) return copy_rows<tile_height>(from, p.a_k, K, n, to);
  turn(from, p.a_m, n, K, to, tile_height);
}

/// Columns of one panel and k `depth` of b as [k][panel_width]; zeros beyond the last column.
inline void pack_b(const Product& p, Range columns, Range depth, float* to) {
  const float* from = p.b + columns.begin * p.b_n + depth.begin * p.b_k;
  const std::int64_t n = columns.end - columns.begin, K = depth.end - depth.begin;
  if (n < panel_width) __builtin_memset(to, 0, static_cast<std::size_t>(4 * K * panel_width));
  if (p.b_n == 1) return copy_rows<panel_width>(from, p.b_k, K, n, to);
  turn(from, p.b_n, n, K, to, panel_width);
}

/// c [R][panel_width] = a b, or c + a b: a(r, k) at a[r * a_m + k * a_k], row k of b at b + k * b_k.
template <int R, int a_m>
void multiply_packed(const float* a, std::int64_t a_k, const float* b, std::int64_t b_k, std::int64_t K, float* c,
                     std::int64_t c_m, bool add) {
  vf sum[R][vectors];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < vectors; ++v) sum[r][v] = add ? load(c + r * c_m + v * lanes) : vf{};
  }
  for (std::int64_t k = 0; k < K; ++k, a += a_k, b += b_k) {
    const vf w0 = load(b), w1 = load(b + lanes);
    for (int r = 0; r < R; ++r) {
      const vf x = broadcast(a[r * a_m]);
      sum[r][0] = fma(x, w0, sum[r][0]);
      sum[r][1] = fma(x, w1, sum[r][1]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < vectors; ++v) store(c + r * c_m + v * lanes, sum[r][v]);
  }
}

using PackedTile = void (*)(const float*, std::int64_t, const float*, std::int64_t, std::int64_t, float*, std::int64_t,
                            bool);

template <int a_m = 1>
PackedTile packed_tile(std::int64_t rows) {
  constexpr PackedTile functions[] = {
    &multiply_packed<1, a_m>,
    &multiply_packed<2, a_m>,
    &multiply_packed<3, a_m>,
    &multiply_packed<4, a_m>,
    &multiply_packed<5, a_m>,
    &multiply_packed<6, a_m>,
#if TOY_VECTOR_BYTES == 64
    &multiply_packed<7, a_m>,
    &multiply_packed<8, a_m>,
    &multiply_packed<9, a_m>,
    &multiply_packed<10, a_m>,
    &multiply_packed<11, a_m>,
    &multiply_packed<12, a_m>,
#endif
  };
  return functions[rows - 1];
}

/// The same for M rows and N columns, a multiple of panel_width; everything in the cache.
template <int a_m>
void multiply_small(const float* a, std::int64_t a_k, const float* b, std::int64_t b_k, std::int64_t M, std::int64_t N,
                    std::int64_t K, float* c, std::int64_t c_m, bool add) {
  const std::int64_t tiles = (M + tile_height - 1) / tile_height;
  for (std::int64_t n = 0; n < N; n += panel_width) {
    for (std::int64_t i = 0; i < tiles; ++i) {
      const Range rows = part(M, i, tiles);
      packed_tile<a_m>(rows.end - rows.begin)(a + rows.begin * a_m, a_k, b + n, b_k, K, c + rows.begin * c_m + n, c_m,
                                              add);
    }
  }
}

/// One tile of a panel whose last columns do not exist: through a buffer, so that nothing is written beside c.
inline void multiply_edge(const float* a, const float* b, std::int64_t K, float* c, std::int64_t c_m, bool add,
                          std::int64_t rows, std::int64_t columns) {
  float part[tile_height * panel_width] = {};
  const auto bytes = static_cast<std::size_t>(4 * columns);
  for (std::int64_t r = 0; r < rows && add; ++r) __builtin_memcpy(part + r * panel_width, c + r * c_m, bytes);
  packed_tile(rows)(a, tile_height, b, panel_width, K, part, panel_width, add);
  for (std::int64_t r = 0; r < rows; ++r) __builtin_memcpy(c + r * c_m, part + r * panel_width, bytes);
}

/// Rows of c, at most block_height, for some panels.
inline void multiply_block(const Product& p, Range rows, Range panels) {
  alignas(64) float a[block_height * block_depth], b[block_depth * panel_width];
  const std::int64_t M = rows.end - rows.begin, tiles = (M + tile_height - 1) / tile_height;
  const std::int64_t slices = max(1, (p.K + block_depth - 1) / block_depth);
  for (std::int64_t slice = 0; slice < slices; ++slice) {
    const Range depth = part(p.K, slice, slices);
    const std::int64_t K = depth.end - depth.begin;
    for (std::int64_t i = 0; i < tiles; ++i) {
      const Range in_tile = part(M, i, tiles);
      pack_a(p, {rows.begin + in_tile.begin, rows.begin + in_tile.end}, depth, a + i * tile_height * K);
    }
    for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const std::int64_t n = panel * panel_width, columns = min(panel_width, p.N - n);
      pack_b(p, {n, n + columns}, depth, b);
      for (std::int64_t i = 0; i < tiles; ++i) {
        const Range here = part(M, i, tiles);
        const std::int64_t R = here.end - here.begin;
        const float* packed = a + i * tile_height * K;
        float* c = p.c + (rows.begin + here.begin) * p.c_m + n;
        const bool add = p.add || slice > 0;
        if (columns < panel_width) {
          multiply_edge(packed, b, K, c, p.c_m, add, R, columns);
        } else {
          packed_tile(R)(packed, tile_height, b, panel_width, K, c, p.c_m, add);
        }
      }
    }
  }
}

/// Products that add up in one c, one after the other.
struct Chain {
  const Product* products;
  std::int64_t count;
  std::int64_t blocks = 0, groups = 0;  // how c is cut: rows, and panels of columns
};

/// Cuts c so that `threads` threads have some pieces each; the cut changes no byte.
inline void cut(Chain& chain, std::int64_t threads) {
  const Product& p = chain.products[0];
  const std::int64_t panels = (p.N + panel_width - 1) / panel_width;
  chain.blocks = (p.M + block_height - 1) / block_height;
  chain.groups = chain.blocks == 0 ? 0 : max(1, min((panels + 1) / 2, (4 * threads + chain.blocks - 1) / chain.blocks));
}

/// Piece i of a chain.
inline void multiply_piece(const Chain& chain, std::int64_t i) {
  const Product& first = chain.products[0];
  const std::int64_t panels = (first.N + panel_width - 1) / panel_width;
  const Range rows = part(first.M, i % chain.blocks, chain.blocks);
  const Range here = part(panels, i / chain.blocks, chain.groups);
  for (std::int64_t j = 0; j < chain.count; ++j) multiply_block(chain.products[j], rows, here);
}

}  // namespace toy::cpu::TOY_LEVEL

// Products of two matrices that both change from call to call: packed on the way, piece by piece.
// Each c[m, n] is one lane of one accumulator that takes k in ascending order (in registers of 16 x 16 the even and the
// odd k of 32, then both); nothing else changes its bytes.
#pragma once

#include "toy/tensor/device/cpu/kernels/math.h"
#include "toy/tensor/device/cpu/kernels/panels.h"
#include "toy/tensor/device/cpu/kernels/pieces.h"
#include "toy/tensor/device/cpu/kernels/tiles.h"
#include "toy/tensor/ops/linear.h"

namespace toy::cpu::TOY_LEVEL {

/// c [M, N] = a [M, K] b [K, N] + bias, or c + a b where `add`. Strides in floats; of each pair one is 1.
struct Product {
  const float* a;
  std::int64_t a_m, a_k;
  const float* b;
  std::int64_t b_k, b_n;
  float* c;
  std::int64_t c_m;
  std::int64_t M, N, K;
  bool add = false;
  const float* bias = nullptr;
  float* panels = nullptr;  // b packed: [panel][cells of K][panel_width]

  std::int64_t panel_count() const { return (N + panel_width - 1) / panel_width; }
};

/// A cell is 32 bits of a packed factor: one float, or two neighbours in k as bfloats, the first in the low half. Rows
/// of cells are filled up with zeros to a multiple of `multiple`.
struct Singles {
  static constexpr int per_cell = 1, multiple = 1;
  static constexpr bool has_forms = cpu::TOY_LEVEL::has_forms;
  /// x: as factor_at() gives it.
  template <class Factor>
  static vf multiply(vf sum, vf w, Factor x) {
    return fma_onto(sum, w, x);
  }
};
struct Pairs {
  static constexpr int per_cell = 2, multiple = 1;
  static constexpr bool has_forms = false;  // both halves of x have to be taken apart in registers
  static vf multiply(vf sum, vf w, vf x) { return dot_pairs(sum, w, x); }
  static vf lanes_of(vf low, vf high) { return pair_lanes(low, high); }
  static vf neighbours_of(vf first, vf second) { return pair_neighbours(first, second); }
};
/// Pairs on a processor that rounds and multiplies them in one instruction; the same bytes.
struct FastPairs {
  static constexpr int per_cell = 2, multiple = 1;
  static constexpr bool has_forms = cpu::TOY_LEVEL::has_forms;
  template <class Factor>
  static vf multiply(vf sum, vf w, Factor x) {
    return dot_pairs_fast(sum, w, x);
  }
  static vf lanes_of(vf low, vf high) { return pair_lanes_fast(low, high); }
  static vf neighbours_of(vf first, vf second) { return pair_neighbours_fast(first, second); }
};

/// Pairs in registers of 16 x 16.
struct Tiles : FastPairs {
  static constexpr int multiple = register_cells;
};

/// What the factors of a call's products are packed as.
enum class CellKind : std::uint8_t { singles, pairs, tiles };

inline CellKind kind_of_cells(Precision precision) {
  if (precision == Precision::f32) return CellKind::singles;
  return has_tiles ? CellKind::tiles : CellKind::pairs;
}

inline Broadcast packed_form(const Forms& forms, Precision precision) {
  return forms[precision == Precision::f32 ? MicroKernel::packed_f32 : MicroKernel::packed_bf16];
}

template <class Cell>
std::int64_t cells_of(std::int64_t K) {
  constexpr std::int64_t together = Cell::multiple * Cell::per_cell;  // elements of k
  return (K + together - 1) / together * Cell::multiple;
}

inline constexpr int tile_height = vector_bytes == 64 ? 12 : 6;  // rows of c whose sums stay in registers
/// Tiles of a that are packed together: with AVX-512, whose tiles are twice as high, as many as fill half of the
/// nearest cache at 128 cells.
inline constexpr std::int64_t block_tiles = vector_bytes == 64 ? 4 : 16;
inline constexpr std::int64_t tile_rows_of(CellKind kind) {
  return kind == CellKind::tiles ? 2 * register_rows : tile_height;
}
inline constexpr std::int64_t block_height = block_tiles * tile_rows_of(has_tiles ? CellKind::tiles : CellKind::pairs);
inline constexpr std::int64_t block_depth = 512;  // cells of k that are packed together
/// Cells from a row of a to the next, for so many cells of k; rows begin in different sets of the cache.
inline constexpr int short_rows = 128 + 16, long_rows = block_depth + 16;
inline int row_stride(std::int64_t cells) { return cells <= 128 ? short_rows : long_rows; }

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

/// A vector of cells: n <= lanes elements of one row and, where cells are pairs, of the next, which lies `stride`
/// behind it or does not exist.
template <class Cell>
vf cells_of_rows(const float* row, std::int64_t stride, bool next, std::int64_t n) {
  if constexpr (Cell::per_cell == 1) {
    return load_n(row, n);
  } else {
    return Cell::lanes_of(load_n(row, n), next ? load_n(row + stride, n) : vf{});
  }
}

/// cells [cells of K] <- one row of K floats.
template <class Cell>
void pair_row(const float* row, std::int64_t K, float* cells) {
  std::int64_t k = 0;
  for (; k + 2 * lanes <= K; k += 2 * lanes) {
    store(cells + k / 2, Cell::neighbours_of(load(row + k), load(row + k + lanes)));
  }
  for (; k < K; k += lanes) {
    const std::int64_t here = min(lanes, K - k);
    store_n(cells + k / 2, Cell::neighbours_of(load_n(row + k, here), vf{}), (here + 1) / 2);
  }
}

/// to [cells of K][width] <- rows [n][K] that lie `stride` apart, n <= width.
template <class Cell>
void pack_across(const float* from, std::int64_t stride, std::int64_t n, std::int64_t K, float* to,
                 std::int64_t width) {
  if constexpr (Cell::per_cell == 1) {
    turn(from, stride, n, K, to, width);
  } else {
    constexpr std::int64_t most = 256;  // cells at a time
    float cells[4 * most];
    for (std::int64_t k = 0; k < K; k += 2 * most) {
      const std::int64_t here = min(2 * most, K - k);
      for (std::int64_t r = 0; r < n; r += 4) {
        const std::int64_t rows = min(4, n - r);
        for (std::int64_t i = 0; i < rows; ++i) pair_row<Cell>(from + (r + i) * stride + k, here, cells + i * most);
        turn(cells, most, rows, (here + 1) / 2, to + k / 2 * width + r, width);
      }
    }
  }
}

/// to [tile][cells of K][tile_height] <- rows [K][n] that lie `stride` apart, n <= block_height. Whole rows are read.
template <class Cell>
void pack_tiles(const float* from, std::int64_t stride, std::int64_t K, std::int64_t n, float* to) {
  const std::int64_t cells = cells_of<Cell>(K);
  for (std::int64_t k = 0; k < cells; ++k, from += Cell::per_cell * stride, to += tile_height) {
    fetch_ahead(from, 8 * Cell::per_cell * stride, n);
    float pairs[block_height];
    const float* row = Cell::per_cell == 1 ? from : pairs;
    for (std::int64_t i = 0; i < n && Cell::per_cell == 2; i += lanes) {
      const std::int64_t here = min(lanes, n - i);
      store_n(pairs + i, cells_of_rows<Cell>(from + i, stride, 2 * k + 1 < K, here), here);
    }
    std::int64_t r = 0;
    float* tile = to;
    for (; r + tile_height <= n; r += tile_height, tile += cells * tile_height) {
      __builtin_memcpy(tile, row + r, 4 * tile_height);
    }
    for (std::int64_t i = 0; i < n - r; ++i) tile[i] = row[r + i];
  }
}

/// to [n][cells of K, `width` apart] <- rows [K][n] that lie `stride` apart, by squares of cells.
template <class Cell>
void pack_turned(const float* from, std::int64_t stride, std::int64_t K, std::int64_t n, float* to,
                 std::int64_t width) {
  static_assert(Cell::multiple == lanes && Cell::per_cell == 2);
  for (std::int64_t k = 0; k < cells_of<Cell>(K); k += lanes) {
    for (std::int64_t i = 0; i < n; i += lanes) {
      const std::int64_t here = min(lanes, n - i);
      vf square[lanes];
      unrolled<lanes>([&](auto c) {
        const std::int64_t at = 2 * (k + c);
        square[c] = at < K ? cells_of_rows<Cell>(from + at * stride + i, stride, at + 1 < K, here) : vf{};
      });
      turn_square(square);
      for (std::int64_t r = 0; r < here; ++r) store(to + (i + r) * width + k, square[r]);
    }
  }
}

/// The cells `depth` of the rows `rows` of a: as [row][row_stride] where k runs along rows or cells come together,
/// else in tiles as [tile][cell][tile_height].
template <class Cell>
void pack_a(const Product& p, Range rows, Range depth, float* to) {
  const std::int64_t k = depth.begin * Cell::per_cell, n = rows.end - rows.begin;
  const std::int64_t K = min(p.K, depth.end * Cell::per_cell) - k, cells = depth.end - depth.begin;
  const float* from = p.a + rows.begin * p.a_m + k * p.a_k;
  const int stride = row_stride(cells);
  if constexpr (Cell::multiple > 1) {
    if (p.a_k != 1) return pack_turned<Cell>(from, p.a_k, K, n, to, stride);
  } else {
    if (p.a_k != 1) return pack_tiles<Cell>(from, p.a_k, K, n, to);
  }
  for (std::int64_t r = 0; r < n; ++r, from += p.a_m, to += stride) {
    if constexpr (Cell::per_cell == 1) {
      copy_few(to, from, K);
    } else {
      pair_row<Cell>(from, K, to);
      for (std::int64_t i = (K + 1) / 2; i < cells; ++i) to[i] = 0;
    }
  }
}

inline constexpr std::int64_t packed_cells = 32;  // cells of k that are one piece of packing

/// b is packed in so many pieces: cells of k where its rows run along n, panels where they run along k.
template <class Cell>
std::int64_t packing_pieces(const Product& p) {
  return p.b_n == 1 ? (cells_of<Cell>(p.K) + packed_cells - 1) / packed_cells : p.panel_count();
}

/// Some cells of k of all panels, rows read whole; zeros beyond the last column and the last k.
template <class Cell>
void pack_cells(const Product& p, Range cells) {
  const std::int64_t panel = cells_of<Cell>(p.K) * panel_width, width = p.panel_count() * panel_width;
  for (std::int64_t k = cells.begin; k < cells.end; ++k) {
    const float* row = p.b + k * Cell::per_cell * p.b_k;
    float* to = p.panels + k * panel_width;
    for (std::int64_t n = 0; n < width; n += panel_width, to += panel) {
      __builtin_prefetch(to + 8 * panel_width, 1);
      for (std::int64_t i = 0; i < panel_width; i += lanes) {
        const std::int64_t here = Cell::per_cell * k < p.K ? max(0, min(lanes, p.N - n - i)) : 0;
        store(to + i, cells_of_rows<Cell>(row + n + i, p.b_k, Cell::per_cell * k + 1 < p.K, here));
      }
    }
  }
}

/// One panel of b; zeros beyond the last column and the last k.
template <class Cell>
void pack_panel(const Product& p, std::int64_t panel) {
  const std::int64_t cells = cells_of<Cell>(p.K), column = panel * panel_width, n = min(panel_width, p.N - column);
  float* to = p.panels + panel * cells * panel_width;
  if (n < panel_width || (Cell::multiple > 1 && cells * Cell::per_cell > p.K)) {
    __builtin_memset(to, 0, static_cast<std::size_t>(4 * cells * panel_width));
  }
  for (std::int64_t r = 0; r < n; r += 4) {
    const float* rows = p.b + (column + r) * p.b_n;
    for (std::int64_t i = 0; i < 4; ++i) fetch_ahead(rows + i * p.b_n, panel_width * p.b_n, p.K);
    pack_across<Cell>(rows, p.b_n, min(4, n - r), p.K, to + r, panel_width);
  }
}

template <class Cell>
void pack_piece(const Product& p, std::int64_t piece) {
  if (p.b_n != 1) return pack_panel<Cell>(p, piece);
  pack_cells<Cell>(p, {piece * packed_cells, min(cells_of<Cell>(p.K), (piece + 1) * packed_cells)});
}

/// One tile: some rows of a, columns of one panel of b.
struct PackedTile {
  const float* a;
  const float* b;
  std::int64_t b_k;  // where the strides leave it open
  std::int64_t cells;
  float* c;
  std::int64_t c_m;
  bool add;
  const float* bias;  // or null
};

/// Floats from a row of a to the next, from a cell of a to the next, and from one of b; b_k 0: the tile's.
struct Strides {
  int a_m, a_k, b_k;
};
inline constexpr Strides tiles_of_a{1, tile_height, panel_width};
template <int a_m>
inline constexpr Strides rows_of_a{a_m, 1, panel_width};

/// c [R][V * lanes] = a b + bias, or c + a b + bias.
template <class Cell, int R, Strides strides, int V, Broadcast form>
void multiply_packed(const PackedTile& t) {
  vf sum[R * V];  // of row i / V, vector i % V
  const auto c = [&](int i) { return t.c + i / V * t.c_m + i % V * lanes; };
  if (t.add) {
    unrolled<R * V>([&](auto i) { sum[i] = load(c(i)); });
  } else {
    unrolled<R * V>([&](auto i) {
      __builtin_prefetch(c(i), 1);  // it is there when the sums are
      sum[i] = vf{};
    });
  }
  const float *a = t.a, *b = t.b;
  const std::int64_t b_k = strides.b_k > 0 ? strides.b_k : t.b_k;
  const auto cells = [&](auto count) __attribute__((always_inline)) {
    unrolled<count>([&](auto k) __attribute__((always_inline)) {
      vf w[V];
      unrolled<V>([&](auto v) { w[v] = load(b + k * b_k + v * lanes); });
      unrolled<R>([&](auto r) {
        const auto x = factor_at<form>(a + r * strides.a_m + k * strides.a_k);
        unrolled<V>([&](auto v) { sum[r * V + v] = Cell::multiply(sum[r * V + v], w[v], x); });
      });
    });
    a += count * strides.a_k;
    b += count * b_k;
  };
  constexpr int turn = strides.b_k > 0 ? 4 : 2;
  for (std::int64_t k = t.cells / turn; k > 0; --k) cells(Known<turn>{});
  for (std::int64_t k = t.cells % turn; k > 0; --k) cells(Known<1>{});
  if (t.bias != nullptr) {
    vf bias[V];
    unrolled<V>([&](auto v) { bias[v] = load(t.bias + v * lanes); });
    unrolled<R * V>([&](auto i) { sum[i] = sum[i] + bias[i % V]; });
  }
  unrolled<R * V>([&](auto i) { store(c(i), sum[i]); });
}

using PackedTileFunction = void (*)(const PackedTile&);

template <class Cell, Strides strides, int V, int... before>
PackedTileFunction packed_tile(std::int64_t rows, std::integer_sequence<int, before...>) {
  constexpr PackedTileFunction functions[] = {
      &multiply_packed<Cell, before + 1, strides, V, Broadcast::in_register>...};
  return functions[rows - 1];
}
/// For 1 to tile_height rows. Only whole tiles come in two forms: those at the edges take little time.
template <class Cell, Strides strides, int V = vectors>
PackedTileFunction packed_tile(std::int64_t rows, Broadcast form) {
  if constexpr (Cell::has_forms) {
    if (form == Broadcast::from_memory && rows == tile_height) {
      return &multiply_packed<Cell, tile_height, strides, V, Broadcast::from_memory>;
    }
  }
  return packed_tile<Cell, strides, V>(rows, std::make_integer_sequence<int, tile_height>());
}

/// The same for M rows and N columns of floats, N a multiple of lanes; everything in the cache.
template <Strides strides>
void multiply_small(const float* a, const float* b, std::int64_t b_k, std::int64_t M, std::int64_t N, std::int64_t K,
                    float* c, std::int64_t c_m, bool add, Broadcast form) {
  for (std::int64_t n = 0; n < N; n += panel_width) {
    for (std::int64_t r = 0; r < M; r += tile_height) {
      const std::int64_t R = min(tile_height, M - r);
      const auto tile =
          N - n < panel_width ? packed_tile<Singles, strides, 1>(R, form) : packed_tile<Singles, strides>(R, form);
      tile({a + r * strides.a_m, b + n, b_k, K, c + r * c_m + n, c_m, add, nullptr});
    }
  }
}

/// multiply(tile) for a tile that c does not have whole: through a buffer of `height` rows, so that nothing is written
/// beside c.
template <int height, class Multiply>
void multiply_edge(PackedTile t, std::int64_t rows, std::int64_t columns, const Multiply& multiply) {
  alignas(64) float part[height * panel_width] = {}, bias[panel_width] = {};
  float* c = t.c;
  const std::int64_t c_m = t.c_m;
  for (std::int64_t r = 0; r < rows && t.add; ++r) copy_few(part + r * panel_width, c + r * c_m, columns);
  if (t.bias != nullptr) copy_few(bias, t.bias, columns);
  t.c = part;
  t.c_m = panel_width;
  t.bias = t.bias != nullptr ? bias : nullptr;
  multiply(t);
  for (std::int64_t r = 0; r < rows; ++r) copy_few(c + r * c_m, part + r * panel_width, columns);
}

/// Memory for rows of a, in the scratch of a member of the team.
struct PackedBlock {
  alignas(64) float cells[block_height * long_rows];
};
static_assert(sizeof(PackedBlock) <= Team::scratch_bytes);

/// Rows of c, at most block_height, for some panels of packed b; one slice of k.
template <class Cell, Strides strides>
void multiply_slice(const Product& p, Range rows, Range panels, Range depth, const PackedBlock& a, Broadcast form) {
  const std::int64_t cells = cells_of<Cell>(p.K), M = rows.end - rows.begin, K = depth.end - depth.begin;
  const std::int64_t row = strides.a_m == 1 ? K : strides.a_m;
  for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
    const std::int64_t n = panel * panel_width, columns = min(panel_width, p.N - n);
    const float* b = p.panels + (panel * cells + depth.begin) * panel_width;
    const float* bias = p.bias != nullptr && depth.end == cells ? p.bias + n : nullptr;
    for (std::int64_t r = 0; r < M; r += tile_height) {
      const std::int64_t R = min(tile_height, M - r);
      const PackedTile tile{a.cells + r * row,        b,   panel_width, K, p.c + (rows.begin + r) * p.c_m + n, p.c_m,
                            p.add || depth.begin > 0, bias};
      if (columns < panel_width) {
        multiply_edge<tile_height>(
            tile, R, columns,
            columns <= lanes ? packed_tile<Cell, strides, 1>(R, form) : packed_tile<Cell, strides>(R, form));
      } else {
        packed_tile<Cell, strides>(R, form)(tile);
      }
    }
  }
}

/// One block of c in registers: R times 16 rows and V times 16 columns, begun with what is there or with the bias. Rows
/// of a lie a_m cells apart.
template <int R, int V>
void multiply_registers(const PackedTile& t, std::int64_t a_m) {
  constexpr int first_a = R * V, first_b = first_a + R;
  unrolled<R * V>([&](auto i) {
    float* c = t.c + i / V * register_rows * t.c_m + i % V * register_cells;
    if (t.add) return tile_load<i>(c, t.c_m);
    for (int r = 0; r < register_rows; ++r) __builtin_prefetch(c + r * t.c_m, 1);
    if (t.bias != nullptr) return tile_load<i>(t.bias + i % V * register_cells, 0);
    tile_zero<i>();
  });
  const float *a = t.a, *b = t.b;
  for (std::int64_t k = t.cells; k > 0; k -= register_cells, a += register_cells, b += register_cells * panel_width) {
    unrolled<V>([&](auto v) { tile_load<first_b + v>(b + v * register_cells, panel_width); });
    unrolled<R>([&](auto r) {
      tile_load<first_a + r>(a + r * register_rows * a_m, a_m);
      unrolled<V>([&](auto v) { tile_multiply<r * V + v, first_a + r, first_b + v>(); });
    });
  }
  unrolled<R * V>([&](auto i) { tile_store<i>(t.c + i / V * register_rows * t.c_m + i % V * register_cells, t.c_m); });
}

/// The same for the registers that some rows and columns need.
template <class Cell>
void multiply_some_registers(const PackedTile& t, std::int64_t a_m, std::int64_t rows, std::int64_t columns) {
  const bool half = columns <= register_cells;
  if (rows <= register_rows) {
    half ? multiply_registers<1, 1>(t, a_m) : multiply_registers<1, 2>(t, a_m);
  } else {
    half ? multiply_registers<2, 1>(t, a_m) : multiply_registers<2, 2>(t, a_m);
  }
}

/// The same in registers of 16 x 16. The bias comes first.
template <class Cell>
void multiply_slice_in_registers(const Product& p, Range rows, Range panels, Range depth, const PackedBlock& a) {
  const std::int64_t cells = cells_of<Cell>(p.K), M = rows.end - rows.begin, K = depth.end - depth.begin;
  constexpr std::int64_t step = tile_rows_of(CellKind::tiles);
  const std::int64_t stride = row_stride(K);
  for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
    const std::int64_t n = panel * panel_width, columns = min(panel_width, p.N - n);
    const float* b = p.panels + (panel * cells + depth.begin) * panel_width;
    const float* bias = p.bias != nullptr && depth.begin == 0 ? p.bias + n : nullptr;
    for (std::int64_t r = 0; r < M; r += step) {
      const PackedTile tile{a.cells + r * stride,     b,   panel_width, K, p.c + (rows.begin + r) * p.c_m + n, p.c_m,
                            p.add || depth.begin > 0, bias};
      if (columns < panel_width || M - r < step) {
        const std::int64_t R = min(step, M - r);
        multiply_edge<step>(tile, R, columns,
                            [&](const PackedTile& t) { multiply_some_registers<Cell>(t, stride, R, columns); });
      } else {
        multiply_registers<2, 2>(tile, stride);
      }
    }
  }
}

template <class Cell>
void multiply_slice(const Product& p, Range rows, Range panels, Range depth, const PackedBlock& a, Broadcast form) {
  if constexpr (Cell::multiple > 1) {
    multiply_slice_in_registers<Cell>(p, rows, panels, depth, a);
  } else if (p.a_k != 1) {
    multiply_slice<Cell, tiles_of_a>(p, rows, panels, depth, a, form);
  } else if (row_stride(depth.end - depth.begin) == long_rows) {
    multiply_slice<Cell, rows_of_a<long_rows>>(p, rows, panels, depth, a, form);
  } else {
    multiply_slice<Cell, rows_of_a<short_rows>>(p, rows, panels, depth, a, form);
  }
}

/// f(slice of the cells of K), in order.
template <class Cell, class F>
void for_slices(std::int64_t K, const F& f) {
  const std::int64_t cells = cells_of<Cell>(K), slices = max(1, (cells + block_depth - 1) / block_depth);
  for (std::int64_t slice = 0; slice < slices; ++slice) {
    const Range here = part(cells / Cell::multiple, slice, slices);
    f(Range{here.begin * Cell::multiple, here.end * Cell::multiple});
  }
}

/// Products that follow each other piece by piece: they share c and add up in it, or share a (and M and K). c is cut
/// into shares of rows, these into blocks, and blocks into groups of columns.
struct Chain {
  const Product* products;
  std::int64_t count;
  bool share_a;
  bool together = false;              // threads take pieces from each other
  std::int64_t height = tile_height;  // of a tile
  Broadcast form = Broadcast::in_register;
  std::int64_t shares = 1, blocks = 0, groups = 0;

  std::int64_t tiles() const { return (products[0].M + height - 1) / height; }
  std::int64_t pieces() const { return blocks * groups; }
};

/// f(tiles of a block) for the blocks of a chain, in order. Each takes half of what is left of its share, at most what
/// is packed together: the last ones are small, so that threads end together.
template <class F>
void for_blocks(const Chain& chain, const F& f) {
  for (std::int64_t s = 0; s < chain.shares; ++s) {
    Range rest = part(chain.tiles(), s, chain.shares);
    while (rest.begin < rest.end) {
      const std::int64_t left = rest.end - rest.begin;
      const std::int64_t taken = min(block_tiles, chain.together ? (left + 1) / 2 : left);
      f(Range{rest.begin, rest.begin + taken});
      rest.begin += taken;
    }
  }
}

/// Cuts c for so many shares, if it is large enough: rows first, as a is packed for each piece. The cut changes no
/// byte.
inline void cut(Chain& chain, std::int64_t shares) {
  chain.shares = max(1, min(chain.tiles(), shares));
  chain.blocks = 0;
  for_blocks(chain, [&](Range) { ++chain.blocks; });
  if (chain.blocks == 0) return;
  const std::int64_t most = chain.share_a ? 1 : chain.products[0].panel_count();
  const std::int64_t pieces = chain.together ? 2 * shares : 1;
  chain.groups = max(1, min(most, (pieces + chain.blocks - 1) / chain.blocks));
}

/// The tiles of block i.
inline Range block_at(const Chain& chain, std::int64_t i) {
  Range found{0, 0};
  for_blocks(chain, [&](Range tiles) {
    if (i-- == 0) found = tiles;
  });
  return found;
}

/// Piece i of a chain; all tiles but the last are whole. a: memory for its rows of a.
template <class Cell>
void multiply_piece(const Chain& chain, std::int64_t i, PackedBlock& a) {
  const Range tiles = block_at(chain, i / chain.groups);
  const Range rows{tiles.begin * chain.height, min(chain.products[0].M, tiles.end * chain.height)};
  [[maybe_unused]] const std::conditional_t<(Cell::multiple > 1), TileRegisters, Known<0>> registers;
  const auto panels = [&](const Product& p) { return part(p.panel_count(), i % chain.groups, chain.groups); };
  if (chain.share_a) {
    for_slices<Cell>(chain.products[0].K, [&](Range depth) {
      pack_a<Cell>(chain.products[0], rows, depth, a.cells);
      for (std::int64_t j = 0; j < chain.count; ++j) {
        multiply_slice<Cell>(chain.products[j], rows, panels(chain.products[j]), depth, a, chain.form);
      }
    });
    return;
  }
  for (std::int64_t j = 0; j < chain.count; ++j) {
    const Product& p = chain.products[j];
    for_slices<Cell>(p.K, [&](Range depth) {
      pack_a<Cell>(p, rows, depth, a.cells);
      multiply_slice<Cell>(p, rows, panels(p), depth, a, chain.form);
    });
  }
}

/// Several chains in one region: first all panels of b are packed (once where products share them), then the pieces of
/// chains [0, first) by the threads that have their rows. The other chains come in `parts` equal lots, each followed by
/// `others` of its own: others(lot, i). When all is done, finish(i) for i < finishes.
struct ProductPlan {
  static constexpr int most = 12;
  Product products[most];
  Chain chains[most];
  int product_count = 0, chain_count = 0, first = 0, parts = 1;
  const Product* packed[most];  // products whose b is packed, in the order of the threads that need it
  int packed_count = 0;
  std::int64_t operations = 0;
  std::int64_t threads = 1;  // that the chains are cut for
  CellKind cells = CellKind::singles;
  Broadcast form = Broadcast::in_register;
};

/// Gives b of a product `memory` for its panels, which moves on.
inline void place_panels(Product& p, float*& memory) {
  p.panels = memory;
  memory += p.panel_count() * panel_width * max(p.K, linear_panel_least);  // enough for any cells
}

/// Has b of a product packed.
inline void pack_later(ProductPlan& plan, const Product& p) { plan.packed[plan.packed_count++] = &p; }

inline void add_chain(ProductPlan& plan, const Product* products, std::int64_t count, bool share_a,
                      std::int64_t shares) {
  Chain& chain = plan.chains[plan.chain_count++] = {
      products, count, share_a, plan.threads > 1, tile_rows_of(plan.cells), plan.form};
  cut(chain, shares);
  for (std::int64_t i = 0; i < count; ++i) plan.operations += products[i].M * products[i].N * products[i].K;
}

template <class Cell, class Others, class Finish>
void run_plan(const ProductPlan& plan, const Team& team, int threads, std::int64_t other_count, const Others& others,
              std::int64_t finishes, const Finish& finish) {
  std::int64_t packed = 0, own = 0, rest = 0;
  for (int i = 0; i < plan.packed_count; ++i) packed += packing_pieces<Cell>(*plan.packed[i]);
  for (int c = 0; c < plan.chain_count; ++c) (c < plan.first ? own : rest) += plan.chains[c].pieces();
  const std::int64_t lot = rest / plan.parts + other_count;         // pieces
  const int chains = (plan.chain_count - plan.first) / plan.parts;  // of a lot
  for_pieces(team, threads, packed, [&](std::int64_t i) {
    int p = 0;
    for (; i >= packing_pieces<Cell>(*plan.packed[p]); ++p) i -= packing_pieces<Cell>(*plan.packed[p]);
    pack_piece<Cell>(*plan.packed[p], i);
  });
  Pieces first(own, threads), last(lot * plan.parts, threads);
  run_region(team, threads, [&](int member) {
    PackedBlock& memory = *reinterpret_cast<PackedBlock*>(team.scratch(member));
    const auto multiply = [&](int c, std::int64_t i) {
      for (; c < plan.chain_count && i >= plan.chains[c].pieces(); ++c) i -= plan.chains[c].pieces();
      if (c < plan.chain_count) multiply_piece<Cell>(plan.chains[c], i, memory);
    };
    first.work(member, [&](std::int64_t i) { multiply(0, i); });
    last.work(member, [&](std::int64_t i) {
      const std::int64_t part = i / lot;
      i %= lot;
      if (i >= lot - other_count) return others(part, i - (lot - other_count));
      multiply(plan.first + static_cast<int>(part) * chains, i);
    });
  });
  for_pieces(team, threads, finishes, finish);
}

/// The same with the cells of the plan.
template <class Others, class Finish>
void run_plan_of(const ProductPlan& plan, const Team& team, int threads, std::int64_t other_count, const Others& others,
                 std::int64_t finishes, const Finish& finish) {
  if (plan.cells == CellKind::singles) {
    run_plan<Singles>(plan, team, threads, other_count, others, finishes, finish);
  } else if constexpr (has_tiles) {
    run_plan<Tiles>(plan, team, threads, other_count, others, finishes, finish);
  } else if (has_dot_pairs()) {
    run_plan<FastPairs>(plan, team, threads, other_count, others, finishes, finish);
  } else {
    run_plan<Pairs>(plan, team, threads, other_count, others, finishes, finish);
  }
}

/// The same with products alone.
inline void run_plan_of(const ProductPlan& plan, const Team& team, int threads) {
  run_plan_of(
      plan, team, threads, 0, [](std::int64_t, std::int64_t) {}, 0, [](std::int64_t) {});
}

}  // namespace toy::cpu::TOY_LEVEL

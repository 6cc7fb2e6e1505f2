// The product kernel: x W^T for weights in panels, in float or in int8 blocks.
#pragma once

#include "toy/tensor/device/cpu/kernels/pieces.h"
#include "toy/tensor/device/cpu/kernels/quantize.h"
#include "toy/tensor/device/cpu/kernels/register.h"
#include "toy/tensor/device/cpu/kernels/tile.h"
#include "toy/tensor/device/cpu/level.h"
#include "toy/tensor/ops/linear.h"

namespace toy::cpu::TOY_LEVEL {

inline constexpr std::int64_t slice_rows = 128;  // rows of x that stay in the second cache
inline constexpr std::int64_t slice_row_bytes = 1024;
inline constexpr std::int64_t many_rows = 9;  // from here on a slice is unpacked before it is multiplied

inline std::int64_t panels_of(std::int64_t N) { return (N + panel_width - 1) / panel_width; }

/// Memory in which a member of the team multiplies many rows: x of a slice in int8 (or floats), copied together so that
/// its rows do not fall into the same sets of the cache, and one panel of a slice, unpacked.
struct ProductScratch {
  alignas(64) std::byte rows[slice_rows * slice_row_bytes];
  alignas(64) float numbers[slice_numbers * panel_width];
  Cells cells;
};
static_assert(sizeof(ProductScratch) <= Team::scratch_bytes);

/// What the tiles of one block of rows and one slice of k share.
struct Slice {
  Range rows, k;
  const std::byte* x;     // row rows.begin, element k.begin: floats, bytes, or 16-bit integers beside their cells
  std::int64_t x_stride;  // bytes from one row to the next
  const float* x_scale;   // of int8 blocks
  Broadcast form;         // of tiles of floats
};

/// One panel whose last outputs do not exist: through a buffer, so that nothing is written beside y.
template <class Panel>
void multiply_partial(ProductTile t, std::int64_t rows, std::int64_t outputs, Broadcast form) {
  float y[tile_rows<Panel> * panel_width] = {}, bias[panel_width] = {};
  const auto bytes = static_cast<std::size_t>(4 * outputs);
  float* target = t.y;
  if (t.resume) {
    for (std::int64_t r = 0; r < rows; ++r) __builtin_memcpy(y + r * panel_width, target + r * t.y_stride, bytes);
  }
  if (t.bias != nullptr) __builtin_memcpy(bias, t.bias, bytes);
  const std::int64_t stride = t.y_stride;
  t.y = y;
  t.y_stride = panel_width;
  t.bias = t.bias != nullptr ? bias : nullptr;
  tile_function<Panel>(rows, 1, form)(t);
  for (std::int64_t r = 0; r < rows; ++r) __builtin_memcpy(target + r * stride, y + r * panel_width, bytes);
}

/// `count` panels from p on, for the rows of a slice. `t` has the panel and the strides.
template <class Panel>
void multiply_rows(const LinearArgs& a, const LinearArgs::Output& out, std::int64_t p, int count, const Slice& s,
                   ProductTile t) {
  const std::int64_t T = s.rows.end - s.rows.begin, n = p * panel_width;
  const std::int64_t tiles = (T + tile_rows<Panel> - 1) / tile_rows<Panel>;
  t.K = s.k.end - s.k.begin;
  t.y_stride = out.N;
  t.resume = s.k.begin > 0;
  t.bias = out.bias != nullptr && s.k.end == a.K ? out.bias + n : nullptr;
  t.x_stride = s.x_stride;
  t.scale_stride = a.K / 32;
  for (std::int64_t i = 0; i < tiles; ++i) {
    const Range rows = part(T, i, tiles);
    t.x = s.x + rows.begin * s.x_stride;
    if (s.x_scale != nullptr) t.x_scale = s.x_scale + rows.begin * t.scale_stride;
    t.y = out.y + (s.rows.begin + rows.begin) * out.N + n;
    if (n + panel_width > out.N) {
      multiply_partial<Panel>(t, rows.end - rows.begin, out.N - n, s.form);
    } else {
      tile_function<Panel>(rows.end - rows.begin, count, s.form)(t);
    }
  }
}

/// Panels [panels.begin, panels.end) of one weight for one slice.
template <class Panel>
void multiply_panels(const LinearArgs& a, const LinearArgs::Output& out, Range panels, const Slice& s) {
  const std::int64_t T = s.rows.end - s.rows.begin;
  ProductTile t{};
  t.panel_bytes = panel_width * bytes_of(Panel::dtype, a.K);
  for (std::int64_t p = panels.begin; p < panels.end;) {
    t.panel = out.weight + p * t.panel_bytes + panel_width * bytes_of(Panel::dtype, s.k.begin);
    const std::int64_t whole = min(panels.end, out.N / panel_width) - p;
    const int count = T == 1 && whole >= 4 ? 4 : T <= 2 && whole >= 2 ? 2 : 1;
    multiply_rows<Panel>(a, out, p, count, s, t);
    p += count;
  }
}

/// The same for many rows: each slice of a panel is unpacked first.
template <class Panel>
void multiply_many(const LinearArgs& a, const LinearArgs::Output& out, Range panels, const Slice& s,
                   ProductScratch& memory) {
  const std::int64_t K = s.k.end - s.k.begin;
  for (std::int64_t p = panels.begin; p < panels.end; ++p) {
    const std::byte* panel =
        out.weight + panel_width * (p * bytes_of(Panel::dtype, a.K) + bytes_of(Panel::dtype, s.k.begin));
    ProductTile t{};
    if constexpr (is_block(Panel::dtype)) {
      expand<Panel>(panel, K, memory.cells);
      t.cells = &memory.cells;
      multiply_rows<CellsOf<Panel>>(a, out, p, 1, s, t);
    } else {
      expand<Panel>(panel, K, memory.numbers);
      t.panel = reinterpret_cast<const std::byte*>(memory.numbers);
      multiply_rows<F32Panel>(a, out, p, 1, s, t);
    }
  }
}

template <class Panel>
void multiply_panels(const LinearArgs& a, const LinearArgs::Output& out, Range panels, const Slice& s,
                     ProductScratch* many) {
  if (many != nullptr && Panel::dtype != DType::F32) return multiply_many<Panel>(a, out, panels, s, *many);
  multiply_panels<Panel>(a, out, panels, s);
}

/// many: memory for the kernels for many rows; null for those for few.
inline void multiply_panels(const LinearArgs& a, const LinearArgs::Output& out, Range panels, const Slice& s,
                            ProductScratch* many) {
  switch (out.dtype) {
    case DType::F32:
      return multiply_panels<F32Panel>(a, out, panels, s, many);
    case DType::F16:
      return multiply_panels<F16Panel>(a, out, panels, s, many);
    case DType::BF16:
      return multiply_panels<BF16Panel>(a, out, panels, s, many);
    case DType::Q8_0:
      return multiply_panels<Q8Panel>(a, out, panels, s, many);
    case DType::Q4_0:
      return multiply_panels<Q4Panel>(a, out, panels, s, many);
    default:
      return multiply_panels<Q6Panel>(a, out, panels, s, many);
  }
}

/// The outputs of the call as one list of panels; f(output, range of its panels) for those in `panels`.
template <class F>
void each_output(const LinearArgs& a, Range panels, const F& f) {
  std::int64_t begin = 0;
  for (int i = 0; i < a.count; ++i) {
    const LinearArgs::Output& out = a.outputs[static_cast<std::size_t>(i)];
    const std::int64_t count = out.layout == Layout::panels ? panels_of(out.N) : 0;
    const Range here{max(panels.begin - begin, 0), min(panels.end - begin, count)};
    if (here.begin < here.end) f(out, here);
    begin += count;
  }
}

/// Rows and k of a slice as the kernels for floats or for blocks read them; copied when there are many rows.
inline Slice make_slice(const LinearArgs& a, bool blocks, Range rows, Range k, Broadcast form, ProductScratch* many) {
  const std::int64_t K = k.end - k.begin;
  Slice s{rows, k, nullptr, 0, nullptr, form};
  if (!blocks) {
    s.x = reinterpret_cast<const std::byte*>(a.x + rows.begin * a.K + k.begin);
    s.x_stride = 4 * a.K;
  } else {
    s.x = a.scratch + rows.begin * a.K + k.begin;
    s.x_stride = a.K;
    s.x_scale = int8_scales(a) + (rows.begin * a.K + k.begin) / 32;
  }
  if (many == nullptr) return s;
  for (std::int64_t row = 0; row < rows.end - rows.begin; ++row) {
    std::byte* to = many->rows + row * slice_row_bytes;
    const std::byte* from = s.x + row * s.x_stride;
    if (!blocks) {
      __builtin_memcpy(to, from, static_cast<std::size_t>(4 * K));
    } else {
      for (std::int64_t i = 0; i < K; i += 32) copy_cells(to + i * 4 / cell_elements, from + i);
    }
  }
  s.x = many->rows;
  s.x_stride = slice_row_bytes;
  return s;
}

/// Elements of k in a slice of many rows; the slices are as equal as whole blocks allow.
inline std::int64_t slice_length(const LinearArgs& a, DType dtype) {
  const std::int64_t most = is_block(dtype) ? slice_blocks : slice_numbers, unit = info(dtype).block_elements;
  const std::int64_t slices = (a.K + most - 1) / most;
  return min(most, ((a.K + slices - 1) / slices + unit - 1) / unit * unit);
}

/// At most slice_rows rows of one weight's panels.
inline void multiply_output(const LinearArgs& a, const LinearArgs::Output& out, Range rows, Range panels,
                            Broadcast form, ProductScratch& memory) {
  const bool blocks = is_block(out.dtype);
  if (rows.end - rows.begin < many_rows) {
    return multiply_panels(a, out, panels, make_slice(a, blocks, rows, {0, a.K}, form, nullptr), nullptr);
  }
  const std::int64_t length = slice_length(a, out.dtype);
  for (std::int64_t k = 0; k < a.K; k += length) {
    const Slice slice = make_slice(a, blocks, rows, {k, min(k + length, a.K)}, form, &memory);
    multiply_panels(a, out, panels, slice, &memory);
  }
}

/// Some panels of all outputs together, for at most slice_rows rows.
inline void multiply_share(const LinearArgs& a, Range rows, Range panels, Broadcast form, ProductScratch& memory) {
  each_output(a, panels,
              [&](const LinearArgs::Output& out, Range here) { multiply_output(a, out, rows, here, form, memory); });
}

/// The next panels that no thread has taken: two thirds of a fair share of the rest, so that a thread that comes late
/// or runs slowly takes less; as many as a tile takes, where that can be.
inline Range take_panels(std::int64_t panels, std::int64_t threads, std::int64_t* next) {
  std::int64_t begin = __atomic_load_n(next, __ATOMIC_RELAXED), end = begin;
  do {
    const std::int64_t share = 2 * (panels - begin) / (3 * threads);
    end = min(panels, begin + (share >= 4 ? share / 4 * 4 : max(share / 2 * 2, 1)));
  } while (!__atomic_compare_exchange_n(next, &begin, end, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return {begin, end};
}

/// How many rows are cut into blocks and their panels into groups, at least 16 pieces for each thread. The blocks of
/// rows of a group follow each other, while its weights are in the cache.
struct ProductCut {
  std::int64_t rows, panels, blocks, groups;
  std::int64_t pieces() const { return blocks * groups; }
  Range rows_of(std::int64_t piece) const { return part(rows, piece % blocks, blocks); }
  Range panels_of(std::int64_t piece) const { return part(panels, piece / blocks, groups); }
};
inline ProductCut cut_product(std::int64_t rows, std::int64_t panels, std::int64_t threads) {
  const std::int64_t blocks = (rows + slice_rows - 1) / slice_rows;
  return {rows, panels, blocks, max(1, min(panels, max(16 * threads / blocks, panels / 16)))};
}

inline void linear(const LinearArgs& a, const Team& team) {
  if (a.panels != nullptr) linear_rows(a, team);
  std::int64_t panels = 0, bytes = 0;
  bool blocks = false, rows = false;
  for (int i = 0; i < a.count; ++i) {
    const LinearArgs::Output& out = a.outputs[static_cast<std::size_t>(i)];
    if (out.layout == Layout::rows) {
      rows = true;
      continue;
    }
    panels += panels_of(out.N);
    bytes += out.N * bytes_of(out.dtype, a.K);
    blocks = blocks || is_block(out.dtype);
  }
  if (panels == 0) return rows && a.panels == nullptr ? cpu::multiply_rows(a) : void();
  const int threads = a.T * bytes < 262144 ? 1 : team.threads();
  if (blocks) for_ranges(team, a.T > 1 ? threads : 1, a.T, [&](Range here) { quantize_rows(a, here); });
  const Broadcast form = team.forms()[MicroKernel::panel_f32];
  const bool many = a.T >= many_rows;
  const ProductCut cut = cut_product(a.T, panels, threads);
  Pieces pieces(many ? cut.pieces() : 0, 1);
  std::int64_t next = 0;  // panel that no thread has taken
  run_region(team, threads, [&](int member) {
    ProductScratch& memory = *reinterpret_cast<ProductScratch*>(team.scratch(member));
    if (many) {
      return pieces.work(member,
                         [&](std::int64_t i) { multiply_share(a, cut.rows_of(i), cut.panels_of(i), form, memory); });
    }
    for (Range r{0, 1}; r.begin < r.end;) {
      r = take_panels(panels, threads, &next);
      multiply_share(a, {0, a.T}, r, form, memory);
    }
  });
  if (rows && a.panels == nullptr) cpu::multiply_rows(a);
}

}  // namespace toy::cpu::TOY_LEVEL

// Parts of tensors, copies of tensors, and tensors put together. (A part along the first axis, and another shape of the
// same elements, need no copy: Tensor::slice, Tensor::reshape.)
#pragma once

#include <span>

#include "toy/tensor/op.h"

namespace toy {

// F32 or F64; negative axes count from the last.

/// Elements [begin, begin + count) along an axis.
Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t count);
/// Zeros of `length` along an axis, with x from `begin` on: the gradient of slice.
Tensor place(const Tensor& x, int axis, std::int64_t begin, std::int64_t length);
/// Tensors one after the other along an axis; all other axes are equal.
Tensor concat(std::span<const Tensor> parts, int axis);
/// x n times along an axis: [a, b] -> [a, b, a, b].
Tensor repeat(const Tensor& x, int axis, std::int64_t n);

/// Blocks of `width` numbers copied between rows: y[o][to..] = x[o][from..]. y is cleared first where `clear` says so.
template <class Number>
struct CopyBlocks {
  const Number* x;
  Number* y;
  std::int64_t outer, width, x_stride, y_stride;
};

template <class Number>
struct SliceArgsOf : CopyBlocks<Number> {
  static constexpr Op op{"slice", "y = x[begin : begin + n]", true};
};

template <class Number>
struct PlaceArgsOf : CopyBlocks<Number> {
  static constexpr Op op{"place", "y = 0, y[begin : begin + n] = x", true};
};

template <class Number>
struct ConcatArgsOf : CopyBlocks<Number> {
  static constexpr Op op{"concat", "y = [a; b; ...]", true};
};

template <class Number>
struct RepeatArgsOf : CopyBlocks<Number> {
  static constexpr Op op{"repeat", "y = [x; x; ...]", true};
  std::int64_t n;  // copies, one after the other
};

template <class Number>
void copy_blocks_ref(const CopyBlocks<Number>& a) {
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (std::int64_t i = 0; i < a.width; ++i) a.y[o * a.y_stride + i] = a.x[o * a.x_stride + i];
  }
}

template <class Number>
void repeat_ref(const RepeatArgsOf<Number>& a) {
  const CopyBlocks<Number>& blocks = a;
  for (std::int64_t copy = 0; copy < a.n; ++copy) {
    CopyBlocks<Number> one = blocks;
    one.y += copy * a.width;
    copy_blocks_ref(one);
  }
}

}  // namespace toy

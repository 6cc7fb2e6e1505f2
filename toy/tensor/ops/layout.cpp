#include "toy/tensor/ops/layout.h"

#include <limits>
#include <vector>

#include "toy/tensor/ops/reduce.h"

namespace toy {

namespace {

/// An axis, with what lies outside and inside of it.
struct AxisView {
  int axis;
  std::int64_t outer = 1, length = 0, inner = 1;
};

AxisView view(const Op& op, const Tensor& x, int axis) {
  const int rank = x.shape().rank();
  AxisView v{axis < 0 ? axis + rank : axis};
  shape_rule(op, is_number(x) && v.axis >= 0 && v.axis < rank, "expected F32 or F64 and one of its axes", {&x});
  for (int i = 0; i < v.axis; ++i) v.outer *= x.shape()[i];
  for (int i = v.axis + 1; i < rank; ++i) v.inner *= x.shape()[i];
  v.length = x.shape()[v.axis];
  return v;
}

Shape with_length(const Shape& shape, int axis, std::int64_t length) {
  std::vector<std::int64_t> axes;
  axes.reserve(static_cast<std::size_t>(shape.rank()));
  for (int i = 0; i < shape.rank(); ++i) axes.push_back(i == axis ? length : shape[i]);
  return Shape(axes);
}

/// Runs Args over blocks of `width` numbers from x + x_begin to y + y_begin.
template <template <class> class Args>
void copy_blocks(const Tensor& x, std::int64_t x_begin, std::int64_t x_stride, Tensor& y, std::int64_t y_begin,
                 std::int64_t y_stride, std::int64_t outer, std::int64_t width) {
  with_number(x.dtype(), [&]<class Number>(Number) {
    const bool there = x.raw() != nullptr && y.raw() != nullptr;
    Args<Number> args;
    static_cast<CopyBlocks<Number>&>(args) = {there ? x.data<Number>() + x_begin : nullptr,
                                              there ? y.data<Number>() + y_begin : nullptr,
                                              outer,
                                              width,
                                              x_stride,
                                              y_stride};
    run(args, {&x}, {&y, 1}, {}, 0);
  });
}

}  // namespace

Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t count) {
  const Op& op = SliceArgsOf<float>::op;
  const AxisView v = view(op, x, axis);
  shape_rule(op, begin >= 0 && count >= 0 && count <= v.length - begin, "the part is not inside the axis", {&x});
  Tensor y = Tensor::empty(x.device(), with_length(x.shape(), v.axis, count), x.dtype());
  copy_blocks<SliceArgsOf>(x, begin * v.inner, v.length * v.inner, y, 0, count * v.inner, v.outer, count * v.inner);
  return differentiate({&x}, y, [&] {
    return [v, begin](std::span<const Tensor> dy) { return std::vector{place(dy[0], v.axis, begin, v.length)}; };
  });
}

Tensor place(const Tensor& x, int axis, std::int64_t begin, std::int64_t length) {
  const Op& op = PlaceArgsOf<float>::op;
  const AxisView v = view(op, x, axis);
  shape_rule(op, begin >= 0 && begin <= length - v.length, "the part is not inside the axis", {&x});
  Tensor y = Tensor::zeros(x.device(), with_length(x.shape(), v.axis, length), x.dtype());
  copy_blocks<PlaceArgsOf>(x, 0, v.length * v.inner, y, begin * v.inner, length * v.inner, v.outer, v.length * v.inner);
  return differentiate({&x}, y, [&] {
    return [v, begin](std::span<const Tensor> dy) { return std::vector{slice(dy[0], v.axis, begin, v.length)}; };
  });
}

Tensor concat(std::span<const Tensor> parts, int axis) {
  const Op& op = ConcatArgsOf<float>::op;
  if (parts.empty()) fail("concat: no tensors");
  const Tensor& first = parts[0];
  const AxisView v = view(op, first, axis);
  std::int64_t length = 0;
  for (const Tensor& t : parts) {
    shape_rule(op,
               t.dtype() == first.dtype() && t.shape().rank() == first.shape().rank() &&
                   with_length(t.shape(), v.axis, v.length) == first.shape(),
               "expected one type and equal axes but for the joined one", {&first, &t});
    length += t.shape()[v.axis];
  }
  Tensor y = Tensor::empty(first.device(), with_length(first.shape(), v.axis, length), first.dtype());
  std::int64_t begin = 0;
  std::vector<std::int64_t> lengths;
  for (const Tensor& t : parts) {
    const std::int64_t width = t.shape()[v.axis] * v.inner;
    copy_blocks<ConcatArgsOf>(t, 0, width, y, begin, length * v.inner, v.outer, width);
    begin += width;
    lengths.push_back(t.shape()[v.axis]);
  }
  std::vector<const Tensor*> inputs;
  for (const Tensor& t : parts) inputs.push_back(&t);
  differentiate(std::span<const Tensor* const>(inputs), {&y, 1}, [&] {
    return [axis = v.axis, lengths](std::span<const Tensor> dy) {
      std::vector<Tensor> dx;
      std::int64_t at = 0;
      for (const std::int64_t n : lengths) {
        dx.push_back(slice(dy[0], axis, at, n));
        at += n;
      }
      return dx;
    };
  });
  return y;
}

Tensor repeat(const Tensor& x, int axis, std::int64_t n) {
  const Op& op = RepeatArgsOf<float>::op;
  const AxisView v = view(op, x, axis);
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  shape_rule(op, n >= 1 && n <= most && v.length <= most,
             "expected at least one copy, and an axis and a number of copies below 2^31", {&x});
  Tensor y = Tensor::empty(x.device(), with_length(x.shape(), v.axis, v.length * n), x.dtype());
  const std::int64_t width = v.length * v.inner;
  with_number(x.dtype(), [&]<class Number>(Number) {
    RepeatArgsOf<Number> args;
    static_cast<CopyBlocks<Number>&>(args) = {x.data<Number>(), y.data<Number>(), v.outer, width, width, width * n};
    args.n = n;
    run(args, {&x}, {&y, 1}, {{"n", n}}, 0);
  });
  return differentiate({&x}, y, [&] {
    return [shape = x.shape(), outer = v.outer, width, n](std::span<const Tensor> dy) {
      return std::vector{sum(dy[0].reshape({outer, n, width}), 1).reshape(shape)};
    };
  });
}

}  // namespace toy

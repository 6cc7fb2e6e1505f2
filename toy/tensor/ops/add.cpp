#include "toy/tensor/ops/add.h"

#include <algorithm>

#include "toy/tensor/ops/elementwise.h"

namespace toy {

namespace {

/// The axis of x that stands at place `axis` of max_rank, counted with leading ones.
std::int64_t padded(const Shape& x, int axis) {
  const int own = axis - (Shape::max_rank - x.rank());
  return own < 0 ? 1 : x[own];
}

/// The shape that a and b have together. Errors: axes that do not match.
Shape common_shape(const Op& op, const Tensor& a, const Tensor& b) {
  if (a.shape() == b.shape()) return a.shape();
  std::array<std::int64_t, Shape::max_rank> axes{};
  for (int i = 0; i < Shape::max_rank; ++i) {
    const std::int64_t m = padded(a.shape(), i), n = padded(b.shape(), i);
    shape_rule(op, m == n || m == 1 || n == 1, "axes differ and neither is 1", {&a, &b});
    axes[static_cast<std::size_t>(i)] = m == 1 ? n : m;
  }
  const auto rank = static_cast<std::size_t>(std::max(a.shape().rank(), b.shape().rank()));
  return Shape(std::span<const std::int64_t>(axes).last(rank));
}

/// Both inputs in their common shape, and the op's kernel over them.
template <template <class> class Args>
Tensor elementwise(const Tensor& a, const Tensor& b) {
  const Op& op = Args<float>::op;
  shape_rule(op, is_number(a) && a.dtype() == b.dtype(), "expected two F32 or two F64 tensors", {&a, &b});
  const Shape shape = common_shape(op, a, b);
  const Tensor x = broadcast_to(a, shape), z = broadcast_to(b, shape);
  Tensor y = Tensor::empty(a.device(), shape, a.dtype());
  const std::int64_t n = shape.elements();
  with_number(a.dtype(), [&]<class Number>(Number) {
    run<Args<Number>>({x.data<Number>(), z.data<Number>(), y.data<Number>(), n}, {&x, &z}, {&y, 1}, {},
                      static_cast<double>(n));
  });
  return y;
}

/// No op of its own on the tape: the gradient of the op that asked for it is summed back.
Tensor without_tape(const Tensor& x) {
  Tensor y = x;
  y.set_requires_grad(false);
  return y;
}

}  // namespace

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const Op& op = BroadcastArgsOf<float>::op;
  bool fits = is_number(x) && x.shape().rank() <= shape.rank();
  std::array<std::int64_t, Shape::max_rank> lengths{}, strides{};
  std::int64_t stride = 1;
  for (int i = Shape::max_rank - 1; i >= 0; --i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t own = padded(x.shape(), i);
    lengths[at] = padded(shape, i);
    strides[at] = own == 1 ? 0 : stride;
    stride *= own;
    fits = fits && (own == 1 || own == lengths[at]);
  }
  shape_rule(op, fits, "cannot be repeated to " + shape.str(), {&x});
  Tensor y = Tensor::empty(x.device(), shape, x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<BroadcastArgsOf<Number>>({x.data<Number>(), y.data<Number>(), lengths, strides}, {&x}, {&y, 1}, {}, 0);
  });
  return differentiate({&x}, y, [] { return [](std::span<const Tensor> dy) { return std::vector{dy[0]}; }; });
}

void add_in_place(const Tensor& sum, const Tensor& x) {
  shape_rule(AddArgs::op, is_number(sum) && x.dtype() == sum.dtype() && x.shape() == sum.shape(),
             "expected a sum and a term of one shape and type", {&sum, &x});
  with_number(sum.dtype(), [&]<class Number>(Number) {
    run<AddArgsOf<Number>>({sum.data<Number>(), x.data<Number>(), sum.data<Number>(), x.shape().elements()}, {&sum, &x},
                           {&sum, 1}, {}, 0);
  });
}

Tensor add(const Tensor& a, const Tensor& b) {
  return differentiate({&a, &b}, elementwise<AddArgsOf>(without_tape(a), without_tape(b)), [] {
    return [](std::span<const Tensor> dy) { return std::vector{dy[0], dy[0]}; };
  });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return differentiate({&a, &b}, elementwise<SubArgsOf>(without_tape(a), without_tape(b)), [] {
    return [](std::span<const Tensor> dy) { return std::vector{dy[0], neg(dy[0])}; };
  });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return differentiate({&a, &b}, elementwise<MulArgsOf>(without_tape(a), without_tape(b)), [&] {
    return [a, b](std::span<const Tensor> dy) { return std::vector{mul(dy[0], b), mul(dy[0], a)}; };
  });
}

Tensor div(const Tensor& a, const Tensor& b) {
  const Tensor y = elementwise<DivArgsOf>(without_tape(a), without_tape(b));
  return differentiate({&a, &b}, y, [&] {
    // dy/db = -y / b; y is kept as a value, not as a node.
    return [b, y](std::span<const Tensor> dy) {
      const Tensor da = div(dy[0], b);
      return std::vector{da, neg(mul(da, y))};
    };
  });
}

}  // namespace toy

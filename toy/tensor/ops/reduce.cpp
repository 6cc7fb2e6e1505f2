#include "toy/tensor/ops/reduce.h"

#include "toy/tensor/ops/add.h"
#include "toy/tensor/ops/elementwise.h"

namespace toy {

namespace {

/// x seen as [outer, n, inner] -> y of `shape`, [outer, inner].
template <template <class> class Args>
Tensor reduce(const Tensor& x, const Shape& shape, std::int64_t outer, std::int64_t n, std::int64_t inner,
              double factor) {
  shape_rule(Args<float>::op, is_number(x) && n > 0, "expected F32 or F64, not empty", {&x});
  Tensor y = Tensor::empty(x.device(), shape, x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    Args<Number> args;
    static_cast<SumArgsOf<Number>&>(args) = {x.data<Number>(), y.data<Number>(), outer, n, inner};
    run(args, {&x}, {&y, 1}, {}, static_cast<double>(x.shape().elements()));
  });
  return differentiate({&x}, y, [&] {
    return [whole = x.shape(), factor](std::span<const Tensor> dy) {
      const Tensor scaled = factor == 1 ? dy[0] : scale(dy[0], factor);
      return std::vector{broadcast_to(scaled, whole)};
    };
  });
}

template <template <class> class Args>
Tensor along(const Tensor& x, int axis, bool average) {
  const int rank = x.shape().rank(), at = axis < 0 ? axis + rank : axis;
  shape_rule(Args<float>::op, at >= 0 && at < rank, "there is no such axis", {&x});
  std::array<std::int64_t, Shape::max_rank> axes{};
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < rank; ++i) {
    axes[static_cast<std::size_t>(i)] = i == at ? 1 : x.shape()[i];
    if (i < at) outer *= x.shape()[i];
    if (i > at) inner *= x.shape()[i];
  }
  const std::int64_t n = x.shape()[at];
  return reduce<Args>(x, Shape(std::span<const std::int64_t>(axes).first(static_cast<std::size_t>(rank))), outer, n,
                      inner, average ? 1 / static_cast<double>(n) : 1);
}

}  // namespace

Tensor sum(const Tensor& x) { return reduce<SumArgsOf>(x, {}, 1, x.shape().elements(), 1, 1); }
Tensor sum(const Tensor& x, int axis) { return along<SumArgsOf>(x, axis, false); }

Tensor mean(const Tensor& x) {
  const std::int64_t n = x.shape().elements();
  return reduce<MeanArgsOf>(x, {}, 1, n, 1, 1 / static_cast<double>(n));
}
Tensor mean(const Tensor& x, int axis) { return along<MeanArgsOf>(x, axis, true); }

Tensor squares(const Tensor& x) {
  shape_rule(SquaresArgsOf<float>::op, is_number(x), "expected F32 or F64", {&x});
  const std::int64_t n = x.shape().elements();
  Tensor y = Tensor::empty(x.device(), {squares_blocks(n)}, DType::F64);
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<SquaresArgsOf<Number>>({x.data<Number>(), y.data<double>(), n}, {&x}, {&y, 1}, {},
                               2.0 * static_cast<double>(n));
  });
  return y;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const auto padded = [](const Shape& s, int i) {
    const int own = i - (Shape::max_rank - s.rank());
    return own < 0 ? std::int64_t{1} : s[own];
  };
  std::array<std::int64_t, Shape::max_rank> lengths{}, strides{};
  bool fits = is_number(x) && shape.rank() <= x.shape().rank();
  std::int64_t stride = 1;
  for (int i = Shape::max_rank - 1; i >= 0; --i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t own = padded(shape, i);
    lengths[at] = padded(x.shape(), i);
    strides[at] = own == 1 ? 0 : stride;
    stride *= own;
    fits = fits && (own == 1 || own == lengths[at]);
  }
  shape_rule(SumToArgsOf<float>::op, fits, "cannot be summed to " + shape.str(), {&x});
  Tensor y = Tensor::empty(x.device(), shape, x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<SumToArgsOf<Number>>({x.data<Number>(), y.data<Number>(), lengths, strides, shape.elements()}, {&x}, {&y, 1},
                             {}, static_cast<double>(x.shape().elements()));
  });
  return differentiate({&x}, y, [&] {
    return [whole = x.shape()](std::span<const Tensor> dy) { return std::vector{broadcast_to(dy[0], whole)}; };
  });
}

}  // namespace toy

#include "toy/tensor/ops/rope.h"

namespace toy {

Tensor angles(const Tensor& positions, const Tensor& frequencies, float scale) {
  shape_rule(AnglesArgs::op,
             positions.shape().rank() == 1 && positions.dtype() == DType::I32 && frequencies.shape().rank() == 1 &&
                 frequencies.dtype() == DType::F32,
             "expected positions [T] I32 and frequencies [R/2] F32", {&positions, &frequencies});
  const std::int64_t T = positions.shape()[0], R = 2 * frequencies.shape()[0];
  Tensor y = Tensor::empty(positions.device(), {T, R});
  run<AnglesArgs>({positions.data<std::int32_t>(), frequencies.data<float>(), y.data<float>(), T, R, scale},
                  {&positions, &frequencies}, {&y, 1}, {{"scale", scale}}, 3.0 * static_cast<double>(T * R));
  return y;
}

Tensor rope(const Tensor& x, const Tensor& angles, std::int64_t d, Pairing pairing, bool back) {
  const Op& op = RopeArgs::op;
  shape_rule(op, x.shape().rank() == 2 && is_number(x) && d > 0 && x.width() % d == 0,
             "expected x [T, heads * d], F32 or F64", {&x, &angles});
  shape_rule(
      op,
      angles.dtype() == DType::F32 && angles.shape().rank() == 2 && angles.rows() == x.rows() && angles.width() <= d,
      "expected angles [T, R] F32 with R <= d", {&x, &angles});
  Tensor y = Tensor::empty(x.device(), x.shape(), x.dtype());
  const std::string_view pairs = pairing == Pairing::interleaved ? "interleaved" : "halves";
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<RopeArgsOf<Number>>({x.data<Number>(), angles.data<float>(), y.data<Number>(), x.rows(), x.width() / d, d,
                             angles.width(), pairing, back},
                            {&x, &angles}, {&y, 1}, {{"pairing", pairs}, {"d", d}},
                            3.0 * static_cast<double>(x.shape().elements()));
  });
  return differentiate({&x}, y, [&] {
    return [angles, d, pairing, back](std::span<const Tensor> dy) {
      return std::vector{rope(dy[0], angles, d, pairing, !back)};
    };
  });
}

}  // namespace toy

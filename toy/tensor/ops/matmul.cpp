#include "toy/tensor/ops/matmul.h"

#include <utility>
#include <vector>

namespace toy {

Tensor matmul(const Tensor& a, const Tensor& b) {
  const Op& op = MatmulArgsOf<float>::op;
  const Shape &A = a.shape(), &B = b.shape();
  const bool one_for_all = B.rank() == 2;
  bool fits = is_number(a) && a.dtype() == b.dtype() && A.rank() >= 2 && (one_for_all || B.rank() == A.rank()) &&
              A[-1] == B[-2];
  for (int i = 0; fits && !one_for_all && i < A.rank() - 2; ++i) fits = A[i] == B[i];
  shape_rule(op, fits, "expected a [..., M, K] and b [..., K, N] or [K, N], both F32 or F64", {&a, &b});
  std::vector<std::int64_t> axes;
  axes.reserve(static_cast<std::size_t>(A.rank()));
  for (int i = 0; i < A.rank() - 1; ++i) axes.push_back(A[i]);
  axes.push_back(B[-1]);
  const std::int64_t M = A[-2], K = A[-1], N = B[-1], batch = M == 0 ? 0 : A.rows() / M;
  Tensor y = Tensor::empty(a.device(), Shape(axes), a.dtype());
  with_number(a.dtype(), [&]<class Number>(Number) {
    run<MatmulArgsOf<Number>>(
        {a.data<Number>(), b.data<Number>(), y.data<Number>(), batch, M, K, N, one_for_all ? 0 : K * N}, {&a, &b},
        {&y, 1}, {}, 2.0 * static_cast<double>(batch * M * K * N));
  });
  // da = dy b^T, db = a^T dy
  return differentiate({&a, &b}, y, [&] {
    return [a, b, one_for_all, K, N](std::span<const Tensor> dy) {
      Tensor da, db;
      if (a.requires_grad()) da = matmul(dy[0], transpose(b));
      if (b.requires_grad() && one_for_all) {
        db = matmul(transpose(a.reshape({a.rows(), K})), dy[0].reshape({a.rows(), N}));
      } else if (b.requires_grad()) {
        db = matmul(transpose(a), dy[0]);
      }
      return std::vector{da, db};
    };
  });
}

Tensor transpose(const Tensor& x, int first, int second) {
  const int rank = x.shape().rank();
  int i = first < 0 ? first + rank : first, j = second < 0 ? second + rank : second;
  if (i > j) std::swap(i, j);
  shape_rule(TransposeArgsOf<float>::op, is_number(x) && i >= 0 && j < rank && i != j,
             "expected F32 or F64 and two of its axes", {&x});
  std::vector<std::int64_t> axes;
  std::int64_t outer = 1, middle = 1, inner = 1;
  for (int a = 0; a < rank; ++a) {
    axes.push_back(x.shape()[a]);
    (a < i ? outer : a > i && a < j ? middle : inner) *= a == i || a == j ? 1 : x.shape()[a];
  }
  std::swap(axes[static_cast<std::size_t>(i)], axes[static_cast<std::size_t>(j)]);
  Tensor y = Tensor::empty(x.device(), Shape(axes), x.dtype());
  with_number(x.dtype(), [&]<class Number>(Number) {
    run<TransposeArgsOf<Number>>({x.data<Number>(), y.data<Number>(), outer, x.shape()[i], middle, x.shape()[j], inner},
                                 {&x}, {&y, 1}, {}, 0);
  });
  return differentiate(
      {&x}, y, [&] { return [i, j](std::span<const Tensor> dy) { return std::vector{transpose(dy[0], i, j)}; }; });
}

}  // namespace toy

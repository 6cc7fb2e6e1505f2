// Sum, difference, product and quotient of two tensors.
#pragma once

#include "toy/tensor/op.h"

namespace toy {

// Where the shapes differ, both are read as if they had the larger shape: axes are matched from the last, and an axis
// of length 1, or one that is not there, repeats. a, b F32 or F64. Errors: axes that do not match.

/// y = a + b
Tensor add(const Tensor& a, const Tensor& b);
/// y = a - b
Tensor sub(const Tensor& a, const Tensor& b);
/// y = a * b, element by element
Tensor mul(const Tensor& a, const Tensor& b);
/// y = a / b, element by element
Tensor div(const Tensor& a, const Tensor& b);
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }

/// x repeated along axes of length 1 or absent ones, so that it has `shape`; x itself if it has.
Tensor broadcast_to(const Tensor& x, const Shape& shape);

/// sum += x, in place and without a record on the tape. Both have one shape and type, F32 or F64.
void add_in_place(const Tensor& sum, const Tensor& x);

template <class Number>
struct AddArgsOf {
  static constexpr Op op{"add", "y = a + b", true};
  const Number* a;
  const Number* b;
  Number* y;
  std::int64_t n;
};
using AddArgs = AddArgsOf<float>;

template <class Number>
struct SubArgsOf {
  static constexpr Op op{"sub", "y = a - b", true};
  const Number* a;
  const Number* b;
  Number* y;
  std::int64_t n;
};

template <class Number>
struct MulArgsOf {
  static constexpr Op op{"mul", "y = a b", true};
  const Number* a;
  const Number* b;
  Number* y;
  std::int64_t n;
};

template <class Number>
struct DivArgsOf {
  static constexpr Op op{"div", "y = a / b", true};
  const Number* a;
  const Number* b;
  Number* y;
  std::int64_t n;
};

template <class Number>
struct BroadcastArgsOf {
  static constexpr Op op{"broadcast_to", "y = x, repeated", true};
  const Number* x;
  Number* y;
  std::array<std::int64_t, Shape::max_rank> lengths;  // of y, with leading ones
  std::array<std::int64_t, Shape::max_rank> strides;  // of x in elements; 0 where it repeats
};

template <class Real, class Number = float>
void add_ref(const AddArgsOf<Number>& a) {
  for (std::int64_t i = 0; i < a.n; ++i)
    a.y[i] = static_cast<Number>(static_cast<Real>(a.a[i]) + static_cast<Real>(a.b[i]));
}

template <class Number>
void sub_ref(const SubArgsOf<Number>& a) {
  for (std::int64_t i = 0; i < a.n; ++i) a.y[i] = a.a[i] - a.b[i];
}

template <class Number>
void mul_ref(const MulArgsOf<Number>& a) {
  for (std::int64_t i = 0; i < a.n; ++i) a.y[i] = a.a[i] * a.b[i];
}

template <class Number>
void div_ref(const DivArgsOf<Number>& a) {
  for (std::int64_t i = 0; i < a.n; ++i) a.y[i] = a.a[i] / a.b[i];
}

template <class Number>
void broadcast_ref(const BroadcastArgsOf<Number>& a) {
  Number* y = a.y;
  for (std::int64_t i = 0; i < a.lengths[0]; ++i) {
    for (std::int64_t j = 0; j < a.lengths[1]; ++j) {
      for (std::int64_t k = 0; k < a.lengths[2]; ++k) {
        const Number* x = a.x + i * a.strides[0] + j * a.strides[1] + k * a.strides[2];
        for (std::int64_t l = 0; l < a.lengths[3]; ++l) *y++ = x[l * a.strides[3]];
      }
    }
  }
}

}  // namespace toy

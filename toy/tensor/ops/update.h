// How one parameter moves by its gradient, in place. The optimizers of toy/optim/ say when and by how much.
#pragma once

#include <cmath>

#include "toy/tensor/op.h"

namespace toy {

struct SgdStep {
  double rate, momentum;
  bool nesterov;
};

struct RmsPropStep {
  double rate, alpha, eps;
};

struct AdamStep {
  double rate, beta1, beta2, eps, weight_decay;
  double correction1, correction2;  // 1 - beta^t, t counted from 1
};

// p, g and the moments have one shape and type, F32 or F64.

/// v = momentum v + g;  p -= rate v, or rate (g + momentum v). v is absent without momentum.
void sgd_update(const Tensor& p, const Tensor& g, const Tensor& v, const SgdStep& step);
/// v = alpha v + (1 - alpha) g^2;  p -= rate g / (sqrt(v) + eps)
void rmsprop_update(const Tensor& p, const Tensor& g, const Tensor& v, const RmsPropStep& step);
/// p *= 1 - rate decay;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
/// p -= rate / correction1 m / (sqrt(v / correction2) + eps)
void adam_update(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, const AdamStep& step);

template <class Number>
struct SgdUpdateArgsOf {
  static constexpr Op op{"sgd_update", "p -= rate (momentum v + g)", false};
  Number* p;
  const Number* g;
  Number* v;  // or null
  std::int64_t n;
  SgdStep step;
};

template <class Number>
struct RmsPropUpdateArgsOf {
  static constexpr Op op{"rmsprop_update", "p -= rate g / (sqrt(v) + eps)", false};
  Number* p;
  const Number* g;
  Number* v;
  std::int64_t n;
  RmsPropStep step;
};

template <class Number>
struct AdamUpdateArgsOf {
  static constexpr Op op{"adam_update", "p -= rate m / (sqrt(v) + eps)", false};
  Number* p;
  const Number* g;
  Number* m;
  Number* v;
  std::int64_t n;
  AdamStep step;
};
using AdamUpdateArgs = AdamUpdateArgsOf<float>;

template <class Number>
void sgd_update_ref(const SgdUpdateArgsOf<Number>& a) {
  const auto rate = static_cast<Number>(a.step.rate), momentum = static_cast<Number>(a.step.momentum);
  for (std::int64_t i = 0; i < a.n; ++i) {
    Number move = a.g[i];
    if (a.v != nullptr) {
      a.v[i] = momentum * a.v[i] + a.g[i];
      move = a.step.nesterov ? a.g[i] + momentum * a.v[i] : a.v[i];
    }
    a.p[i] -= rate * move;
  }
}

template <class Number>
void rmsprop_update_ref(const RmsPropUpdateArgsOf<Number>& a) {
  const auto rate = static_cast<Number>(a.step.rate), eps = static_cast<Number>(a.step.eps);
  const auto alpha = static_cast<Number>(a.step.alpha), rest = static_cast<Number>(1 - a.step.alpha);
  for (std::int64_t i = 0; i < a.n; ++i) {
    a.v[i] = alpha * a.v[i] + rest * a.g[i] * a.g[i];
    a.p[i] -= rate * (a.g[i] / (std::sqrt(a.v[i]) + eps));
  }
}

template <class Number>
void adam_update_ref(const AdamUpdateArgsOf<Number>& a) {
  const AdamStep& s = a.step;
  const auto keep = static_cast<Number>(1 - s.rate * s.weight_decay), eps = static_cast<Number>(s.eps);
  const auto rest1 = static_cast<Number>(1 - s.beta1), beta2 = static_cast<Number>(s.beta2);
  const auto rest2 = static_cast<Number>(1 - s.beta2), rate = static_cast<Number>(s.rate / s.correction1);
  const auto root = static_cast<Number>(1 / std::sqrt(s.correction2));
  for (std::int64_t i = 0; i < a.n; ++i) {
    a.m[i] += rest1 * (a.g[i] - a.m[i]);
    a.v[i] = beta2 * a.v[i] + rest2 * a.g[i] * a.g[i];
    a.p[i] = keep * a.p[i] - rate * (a.m[i] / (std::sqrt(a.v[i]) * root + eps));
  }
}

}  // namespace toy

// Linear and Embedding.
#pragma once

#include <array>
#include <cstddef>

#include "toy/nn/module.h"
#include "toy/tensor/ops/gather.h"
#include "toy/tensor/ops/linear.h"

namespace toy {

/// y = x W^T + b. W [out, in], b [out] if the file has one.
class Linear final : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, Need bias = Need::optional) : in_(in), out_(out), need_bias_(bias) {}

  /// x [..., in] -> [..., out]: [T, in], or [B, T, in]
  Tensor operator()(const Tensor& x) const { return linear(x, weight, bias); }
  void list(Visitor& v) override;

  Tensor weight, bias;

 private:
  std::int64_t in_, out_;
  Need need_bias_;
};

/// Several linear maps of one input at once: auto [q, k, v] = linear(x, attn_q, attn_k, attn_v).
template <class... L>
std::array<Tensor, sizeof...(L) + 1> linear(const Tensor& x, const Linear& first, const L&... rest) {
  const std::array<LinearWeight, sizeof...(L) + 1> weights{LinearWeight{&first.weight, &first.bias},
                                                           LinearWeight{&rest.weight, &rest.bias}...};
  std::array<Tensor, sizeof...(L) + 1> y;
  auto all = linear(x, weights);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = std::move(all[i]);
  return y;
}

/// y_t = W[id_t]. W [N, D].
class Embedding final : public Module {
 public:
  Embedding(std::int64_t rows, std::int64_t width) : rows_(rows), width_(width) {}

  /// ids [...] I32 -> [..., D]: [T], or [B, T]
  Tensor operator()(const Tensor& ids) const { return gather(weight, ids); }
  void list(Visitor& v) override { v("weight", weight, {rows_, width_}); }
  std::int64_t rows() const { return rows_; }

  Tensor weight;

 private:
  std::int64_t rows_, width_;
};

}  // namespace toy

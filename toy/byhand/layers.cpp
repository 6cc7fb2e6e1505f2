#include "toy/byhand/layers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace toy::byhand {

void expect_ids(std::string_view what, std::span<const int> ids, int vocabulary) {
  for (std::size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] >= 0 && ids[t] < vocabulary) continue;
    throw std::invalid_argument(std::string(what) + ": id " + std::to_string(ids[t]) + " at position " +
                                std::to_string(t) + ": expected 0 to " + std::to_string(vocabulary - 1));
  }
}

namespace {

int length(std::span<const int> ids) { return static_cast<int>(ids.size()); }

// Embedding

void expect_embeddings(std::span<const int> ids, const Matrix& wte, const Matrix& wpe) {
  expect_ids("embed", ids, wte.rows());
  expect_shape("embed: wpe", wpe, wpe.rows(), wte.cols());
  if (length(ids) > wpe.rows()) {
    throw std::invalid_argument("embed: " + std::to_string(ids.size()) + " ids, but there are only " +
                                std::to_string(wpe.rows()) + " positions");
  }
}

void add(std::span<double> sum, std::span<const double> x) {
  for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += x[j];
}

}  // namespace

Matrix embed(std::span<const int> ids, const Matrix& wte, const Matrix& wpe) {
  expect_embeddings(ids, wte, wpe);
  Matrix x(length(ids), wte.cols());
  for (int t = 0; t < x.rows(); ++t) {
    add(x.row(t), wte.row(ids[t]));
    add(x.row(t), wpe.row(t));
  }
  return x;
}

EmbedGradient embed_backward(std::span<const int> ids, const Matrix& wte, const Matrix& wpe, const Matrix& dx) {
  expect_embeddings(ids, wte, wpe);
  expect_shape("embed_backward: dx", dx, length(ids), wte.cols());
  Matrix dwte(wte.rows(), wte.cols()), dwpe(wpe.rows(), wpe.cols());
  for (int t = 0; t < dx.rows(); ++t) {
    add(dwte.row(ids[t]), dx.row(t));
    add(dwpe.row(t), dx.row(t));
  }
  return {dwte, dwpe};
}

// RMSNorm

namespace {

/// r = 1 / sqrt(mean(x^2) + 1e-5)
double inverse_rms(std::span<const double> x) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  return 1 / std::sqrt(squares / static_cast<double>(x.size()) + 1e-5);
}

}  // namespace

Matrix rms_norm(const Matrix& x, const Matrix& gain) {
  expect_shape("rms_norm: gain", gain, 1, x.cols());
  Matrix y(x.rows(), x.cols());
  for (int t = 0; t < x.rows(); ++t) {
    const double r = inverse_rms(x.row(t));
    for (int j = 0; j < x.cols(); ++j) y(t, j) = gain(0, j) * x(t, j) * r;
  }
  return y;
}

RmsNormGradient rms_norm_backward(const Matrix& x, const Matrix& gain, const Matrix& dy) {
  expect_shape("rms_norm_backward: gain", gain, 1, x.cols());
  expect_shape("rms_norm_backward: dy", dy, x.rows(), x.cols());
  Matrix dx(x.rows(), x.cols()), dgain(1, x.cols());
  for (int t = 0; t < x.rows(); ++t) {
    const double r = inverse_rms(x.row(t));
    double sum = 0;
    for (int j = 0; j < x.cols(); ++j) sum += gain(0, j) * dy(t, j) * x(t, j);
    for (int j = 0; j < x.cols(); ++j) {
      dx(t, j) = r * gain(0, j) * dy(t, j) - x(t, j) * r * r * r / x.cols() * sum;
      dgain(0, j) += dy(t, j) * x(t, j) * r;
    }
  }
  return {dx, dgain};
}

// Softmax

Matrix softmax_rows(const Matrix& s) {
  Matrix p = s;
  if (s.cols() == 0) return p;
  for (int t = 0; t < p.rows(); ++t) {
    const auto row = p.row(t);
    const double top = *std::ranges::max_element(row);  // exp of a large number would be infinite
    double sum = 0;
    for (double& value : row) sum += value = std::exp(value - top);
    for (double& value : row) value /= sum;
  }
  return p;
}

Matrix softmax_rows_backward(const Matrix& p, const Matrix& dp) {
  expect_shape("softmax_rows_backward: dp", dp, p.rows(), p.cols());
  Matrix ds(p.rows(), p.cols());
  for (int t = 0; t < p.rows(); ++t) {
    double sum = 0;
    for (int j = 0; j < p.cols(); ++j) sum += p(t, j) * dp(t, j);
    for (int j = 0; j < p.cols(); ++j) ds(t, j) = p(t, j) * (dp(t, j) - sum);
  }
  return ds;
}

// Self-attention

namespace {

/// s [T, T]: no position sees a later one. softmax makes 0 of minus infinity.
Matrix causal(Matrix s) {
  for (int t = 0; t < s.rows(); ++t) {
    std::ranges::fill(s.row(t).subspan(static_cast<std::size_t>(t) + 1), -std::numeric_limits<double>::infinity());
  }
  return s;
}

/// What one head computes: q, k, v [T, d], p [T, T].
struct HeadForward {
  HeadForward(const Matrix& x, const Head& w)
      : q(x * transpose(w.wq)),
        k(x * transpose(w.wk)),
        v(x * transpose(w.wv)),
        scale(1 / std::sqrt(q.cols())),
        p(softmax_rows(causal(scale * (q * transpose(k))))) {}

  Matrix q, k, v;
  double scale;
  Matrix p;
};

/// The columns of `part` become the columns of `whole` from `first` on.
void put_columns(Matrix& whole, int first, const Matrix& part) {
  for (int t = 0; t < part.rows(); ++t) std::ranges::copy(part.row(t), whole.row(t).begin() + first);
}

Matrix take_columns(const Matrix& whole, int first, int count) {
  Matrix part(whole.rows(), count);
  for (int t = 0; t < part.rows(); ++t) {
    for (int j = 0; j < count; ++j) part(t, j) = whole(t, first + j);
  }
  return part;
}

void expect_attention(const Matrix& x, const SelfAttention& w) {
  if (w.heads.empty()) throw std::invalid_argument("self_attention: expected at least one head");
  const int d = w.heads.front().wq.rows();
  for (const Head& head : w.heads) {
    expect_shape("self_attention: wq", head.wq, d, x.cols());
    expect_shape("self_attention: wk", head.wk, d, x.cols());
    expect_shape("self_attention: wv", head.wv, d, x.cols());
  }
  expect_shape("self_attention: wo", w.wo, x.cols(), d * static_cast<int>(w.heads.size()));
}

}  // namespace

Matrix self_attention(const Matrix& x, const SelfAttention& w) {
  expect_attention(x, w);
  Matrix concat(x.rows(), w.wo.cols());  // [o_1 ... o_H]
  for (int first = 0; const Head& head : w.heads) {
    const HeadForward h(x, head);
    put_columns(concat, first, h.p * h.v);
    first += h.v.cols();
  }
  return concat * transpose(w.wo);
}

SelfAttentionGradient self_attention_backward(const Matrix& x, const SelfAttention& w, const Matrix& dy) {
  expect_attention(x, w);
  expect_shape("self_attention_backward: dy", dy, x.rows(), x.cols());
  const Matrix dconcat = dy * w.wo;
  Matrix concat(x.rows(), w.wo.cols()), dx(x.rows(), x.cols());
  SelfAttention dw;
  for (int first = 0; const Head& head : w.heads) {
    const auto& [q, k, v, scale, p] = HeadForward(x, head);
    put_columns(concat, first, p * v);
    const Matrix d_o = take_columns(dconcat, first, v.cols());
    first += v.cols();

    const Matrix dv = transpose(p) * d_o;
    const Matrix dp = d_o * transpose(v);
    const Matrix ds = scale * softmax_rows_backward(p, dp);
    const Matrix dq = ds * k;
    const Matrix dk = transpose(ds) * q;
    dw.heads.push_back({transpose(dq) * x, transpose(dk) * x, transpose(dv) * x});
    dx += dq * head.wq + dk * head.wk + dv * head.wv;
  }
  dw.wo = transpose(dy) * concat;
  return {dx, dw};
}

// Feed-forward

namespace {

constexpr double c = 0.7978845608028654;  // sqrt(2 / pi)
constexpr double a = 0.044715;

double gelu(double u) { return u / 2 * (1 + std::tanh(c * (u + a * u * u * u))); }

double gelu_derivative(double u) {
  const double th = std::tanh(c * (u + a * u * u * u));
  return (1 + th) / 2 + u / 2 * (1 - th * th) * c * (1 + 3 * a * u * u);
}

Matrix gelu(Matrix u) {
  for (double& value : u.values()) value = gelu(value);
  return u;
}

void expect_feed_forward(const Matrix& x, const FeedForward& w) {
  expect_shape("feed_forward: w1", w.w1, w.w1.rows(), x.cols());
  expect_shape("feed_forward: w2", w.w2, x.cols(), w.w1.rows());
}

}  // namespace

Matrix feed_forward(const Matrix& x, const FeedForward& w) {
  expect_feed_forward(x, w);
  return gelu(x * transpose(w.w1)) * transpose(w.w2);
}

FeedForwardGradient feed_forward_backward(const Matrix& x, const FeedForward& w, const Matrix& dy) {
  expect_feed_forward(x, w);
  expect_shape("feed_forward_backward: dy", dy, x.rows(), x.cols());
  const Matrix u = x * transpose(w.w1);
  Matrix du = dy * w.w2;
  for (std::size_t i = 0; i < u.values().size(); ++i) du.values()[i] *= gelu_derivative(u.values()[i]);
  return {du * w.w1, {transpose(du) * x, transpose(dy) * gelu(u)}};
}

// Loss

namespace {

void expect_targets(const Matrix& logits, std::span<const int> targets) {
  if (length(targets) != logits.rows()) {
    throw std::invalid_argument("cross_entropy: " + std::to_string(targets.size()) + " targets for " +
                                std::to_string(logits.rows()) + " rows of logits");
  }
  expect_ids("cross_entropy", targets, logits.cols());
}

}  // namespace

double cross_entropy(const Matrix& logits, std::span<const int> targets) {
  expect_targets(logits, targets);
  double sum = 0;
  for (int t = 0; t < logits.rows(); ++t) {
    const auto row = logits.row(t);
    const double top = *std::ranges::max_element(row);
    double total = 0;
    for (const double value : row) total += std::exp(value - top);
    sum += std::log(total) + top - logits(t, targets[t]);
  }
  return logits.rows() == 0 ? 0 : sum / logits.rows();
}

Matrix cross_entropy_grad(const Matrix& logits, std::span<const int> targets) {
  expect_targets(logits, targets);
  Matrix d = softmax_rows(logits);
  for (int t = 0; t < d.rows(); ++t) d(t, targets[t]) -= 1;
  return d.rows() == 0 ? d : 1.0 / d.rows() * d;
}

}  // namespace toy::byhand

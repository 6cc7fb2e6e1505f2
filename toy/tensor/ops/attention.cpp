#include "toy/tensor/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace toy {

namespace {

float half_at(const std::byte* base, std::int64_t index) {
  std::uint16_t h;
  std::memcpy(&h, base + 2 * index, 2);
  return half_to_float(h);
}

/// Saturating: an infinite value would turn tokens before it into NaN, 0 * infinity, when they share a block.
void put_half(std::byte* base, std::int64_t index, float value) {
  constexpr float most = 65504;
  const std::uint16_t h = float_to_half(value > most ? most : value < -most ? -most : value);
  std::memcpy(base + 2 * index, &h, 2);
}

float float_at(const std::byte* base, std::int64_t index) {
  float f;
  std::memcpy(&f, base + 4 * index, 4);
  return f;
}

/// One head's vector x [d] as keys (element i at [i][position]) or values (at [position][i]) of a page's half.
void put(std::byte* half, DType dtype, std::int64_t d, std::int64_t position, bool keys, const float* x) {
  const auto at = [&](std::int64_t i, std::int64_t width) {
    return keys ? i * page_positions + position : position * width + i;
  };
  if (dtype == DType::F32) {
    for (std::int64_t i = 0; i < d; ++i) std::memcpy(half + 4 * at(i, d), x + i, 4);
    return;
  }
  if (dtype == DType::F16) {
    for (std::int64_t i = 0; i < d; ++i) put_half(half, at(i, d), x[i]);
    return;
  }
  const std::int64_t blocks = d / 32;
  auto* numbers = reinterpret_cast<std::int8_t*>(half + 2 * blocks * page_positions);
  for (std::int64_t b = 0; b < blocks; ++b) {
    float top = 0;
    for (std::int64_t i = 0; i < 32; ++i) top = std::max(top, std::fabs(x[32 * b + i]));
    const bool has_nan = std::any_of(x + 32 * b, x + 32 * b + 32, [](float f) { return std::isnan(f); });
    if (has_nan) {  // the scale tells it
      put_half(half, at(b, blocks), std::numeric_limits<float>::quiet_NaN());
      continue;
    }
    const float scale = top / 127.0f, inverse = scale > 0 ? 1.0f / scale : 0.0f;
    put_half(half, at(b, blocks), scale);
    for (std::int64_t i = 32 * b; i < 32 * b + 32; ++i) {
      numbers[at(i, d)] = static_cast<std::int8_t>(std::lround(x[i] * inverse));
    }
  }
}

float get(const std::byte* half, DType dtype, std::int64_t d, std::int64_t position, bool keys, std::int64_t i) {
  const auto at = [&](std::int64_t j, std::int64_t width) {
    return keys ? j * page_positions + position : position * width + j;
  };
  if (dtype == DType::F32) return float_at(half, at(i, d));
  if (dtype == DType::F16) return half_at(half, at(i, d));
  const std::int64_t blocks = d / 32;
  const auto* numbers = reinterpret_cast<const std::int8_t*>(half + 2 * blocks * page_positions);
  return static_cast<float>(numbers[at(i, d)]) * half_at(half, at(i / 32, blocks));
}

void check_kv(const Op& op, const KeyValues& kv, std::span<const Segment> segments, const Tensor& rows) {
  shape_rule(op, kv.dtype == DType::F32 || kv.dtype == DType::F16 || kv.dtype == DType::Q8_0,
             "keys and values are stored as F32, F16 or Q8_0", {&rows});
  shape_rule(op, kv.dtype != DType::Q8_0 || kv.d % 32 == 0, "Q8_0 needs a head width that is a multiple of 32",
             {&rows});
  shape_rule(op, kv.pages.empty() || kv.pages.size() == segments.size(), "expected the pages of every segment",
             {&rows});
  std::int64_t tokens = 0;
  for (const Segment& s : segments) {
    shape_rule(op, s.begin == tokens && s.count >= 0 && s.past >= 0, "the segments do not follow each other", {&rows});
    tokens += s.count;
  }
  shape_rule(op, tokens == rows.rows(), "the segments do not add up to the rows", {&rows});
}

/// A value that a gradient keeps: no node of its own.
Tensor without_gradient(const Tensor& x) {
  Tensor y = x;
  y.set_requires_grad(false);
  return y;
}

}  // namespace

float PageView::key(std::int64_t head, std::int64_t position, std::int64_t i) const {
  return get(keys(head), dtype, d, position, true, i);
}

float PageView::value(std::int64_t head, std::int64_t position, std::int64_t i) const {
  return get(values(head), dtype, d, position, false, i);
}

void append_ref(const AppendArgs& a) {
  const std::int64_t d = a.kv->d, heads = a.kv->kv_heads;
  const std::int64_t half = page_positions * bytes_of(a.kv->dtype, d);
  for (std::size_t s = 0; s < a.segments.size(); ++s) {
    for (std::int64_t t = 0; t < a.segments[s].count; ++t) {
      const std::int64_t position = a.segments[s].past + t, row = a.segments[s].begin + t;
      std::byte* page = a.kv->pages[s][position / page_positions];
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t slot = position % page_positions, at = (row * heads + h) * d;
        put(page + 2 * h * half, a.kv->dtype, d, slot, true, a.k + at);
        put(page + (2 * h + 1) * half, a.kv->dtype, d, slot, false, a.v + at);
      }
    }
  }
}

void append(const Tensor& k, const Tensor& v, std::span<const Segment> segments, const KeyValues& kv) {
  const Op& op = AppendArgs::op;
  shape_rule(op, k.shape() == v.shape() && k.dtype() == DType::F32 && k.width() == kv.kv_heads * kv.d,
             "expected k and v [T, kv_heads * d] F32", {&k, &v});
  check_kv(op, kv, segments, k);
  shape_rule(op, kv.pages.size() == segments.size(), "expected the pages of every segment", {&k, &v});
  const Tape* tape = k.device().tape();
  const std::array inputs{&k, &v};
  if (tape != nullptr && tape->wants(inputs)) fail("append: a stored key has no gradient; train without a store");
  const Tensor written = kv.state ? kv.state.slice(kv.state.shape()[0] - k.rows(), k.rows()) : Tensor();
  run<AppendArgs>({k.data<float>(), v.data<float>(), segments, &kv}, {&k, &v, &kv.segments},
                  {&written, written ? std::size_t{1} : 0}, {{"dtype", name(kv.dtype)}}, 0);
}

Tensor attention(const Tensor& q, const KeyValues& kv, std::span<const Segment> segments, float scale) {
  const Op& op = AttentionArgs::op;
  shape_rule(op,
             is_number(q) && q.shape().rank() == 2 && kv.d > 0 && kv.kv_heads > 0 && q.width() % kv.d == 0 &&
                 q.width() / kv.d % kv.kv_heads == 0,
             "expected q [T, heads * d], F32 or F64, with heads a multiple of kv_heads", {&q});
  if (kv.pages.empty()) {
    shape_rule(op, q.dtype() == kv.k.dtype() && q.dtype() == kv.v.dtype(), "expected q and keys of one type",
               {&q, &kv.k, &kv.v});
    const Shape rows{q.rows(), kv.kv_heads * kv.d};
    shape_rule(op, kv.k.shape() == rows && kv.v.shape() == rows, "expected k and v [T, kv_heads * d]",
               {&q, &kv.k, &kv.v});
  } else {
    shape_rule(op, q.dtype() == DType::F32, "expected q F32, as stored keys are read", {&q});
  }
  check_kv(op, kv, segments, q);
  double flops = 0;
  for (const Segment& s : segments) {
    shape_rule(op, !kv.pages.empty() || s.past == 0, "a past needs a store of keys and values", {&q});
    flops += 4.0 * static_cast<double>(q.width() * s.count) *
             (static_cast<double>(s.past) + 0.5 * static_cast<double>(s.count + 1));
  }
  Tensor y = Tensor::empty(q.device(), q.shape(), q.dtype());
  const Tensor scratch = Tensor::empty(q.device(), {q.device().team().threads(), attention_scratch(kv.d)}, q.dtype());
  const std::array inputs{&q, &kv.k, &kv.v};
  const Tape* tape = q.device().tape();
  const bool gradient = tape != nullptr && tape->wants(inputs);
  const Tensor softmax = gradient ? Tensor::empty(q.device(), {q.rows(), q.width() / kv.d, 2}, q.dtype()) : Tensor();
  with_number(q.dtype(), [&]<class Number>(Number) {
    run<AttentionArgsOf<Number>>({q.data<Number>(), y.data<Number>(), segments, &kv, q.width() / kv.d, scale,
                                  scratch.data<Number>(), softmax ? softmax.data<Number>() : nullptr},
                                 {&q, &kv.k, &kv.v, &kv.state, &kv.segments}, {&y, 1},
                                 {{"scale", scale}, {"kv_heads", kv.kv_heads}, {"d", kv.d}}, flops);
  });
  return differentiate({&q, &kv.k, &kv.v}, y, [&] {
    if (!kv.pages.empty()) fail("attention: stored keys have no gradient; train without a store");
    return [q, kv, kept = without_gradient(y), softmax, all = std::vector(segments.begin(), segments.end()),
            scale](std::span<const Tensor> dy) {
      const auto [dq, dk, dv] = attention_backward(q, kv, kept, softmax, dy[0], all, scale);
      return std::vector{dq, dk, dv};
    };
  });
}

std::array<Tensor, 3> attention_backward(const Tensor& q, const KeyValues& kv, const Tensor& y, const Tensor& softmax,
                                         const Tensor& dy, std::span<const Segment> segments, float scale) {
  const Op& op = AttentionBackwardArgs::op;
  shape_rule(op,
             kv.pages.empty() && kv.d > 0 && kv.kv_heads > 0 && q.width() / kv.d % kv.kv_heads == 0 &&
                 q.shape() == dy.shape() && q.shape() == y.shape() && kv.k.shape() == kv.v.shape() &&
                 kv.k.shape() == Shape{q.rows(), kv.kv_heads * kv.d} &&
                 softmax.shape() == Shape{q.rows(), q.width() / kv.d, 2},
             "expected q, y and dy of one shape, k and v [T, kv_heads * d], softmax [T, heads, 2]",
             {&q, &kv.k, &kv.v, &y, &softmax, &dy});
  check_kv(op, kv, segments, q);
  std::array d{Tensor::empty(q.device(), q.shape(), q.dtype()), Tensor::empty(q.device(), kv.k.shape(), q.dtype()),
               Tensor::empty(q.device(), kv.v.shape(), q.dtype())};
  const Tensor scratch =
      Tensor::empty(q.device(), {q.device().team().threads(), attention_backward_scratch(kv.d)}, q.dtype());
  double flops = 0;
  for (const Segment& s : segments) flops += 5.0 * static_cast<double>(q.width() * s.count * (s.count + 1));
  with_number(q.dtype(), [&]<class Number>(Number) {
    run<AttentionBackwardArgsOf<Number>>(
        {q.data<Number>(), kv.k.data<Number>(), kv.v.data<Number>(), y.data<Number>(), softmax.data<Number>(),
         dy.data<Number>(), d[0].data<Number>(), d[1].data<Number>(), d[2].data<Number>(), segments, q.width() / kv.d,
         kv.kv_heads, kv.d, scale, scratch.data<Number>()},
        {&q, &kv.k, &kv.v, &y, &softmax, &dy}, d, {{"scale", scale}}, flops);
  });
  return d;
}

}  // namespace toy

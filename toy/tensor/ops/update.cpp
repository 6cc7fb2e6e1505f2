#include "toy/tensor/ops/update.h"

#include "toy/tensor/tape.h"

namespace toy {

namespace {

bool alike(const Tensor& p, const Tensor& x) { return x.shape() == p.shape() && x.dtype() == p.dtype(); }

/// An update is no step of a forward: it is not recorded.
template <class F>
void without_tape(const Tensor& p, const F& f) {
  if (Tape* tape = p.device().tape()) {
    const Tape::Pause pause(*tape);
    return f();
  }
  f();
}

}  // namespace

void sgd_update(const Tensor& p, const Tensor& g, const Tensor& v, const SgdStep& step) {
  shape_rule(SgdUpdateArgsOf<float>::op, is_number(p) && alike(p, g) && (!v || alike(p, v)),
             "expected tensors of one shape and type", {&p, &g, v ? &v : &p});
  const std::int64_t n = p.shape().elements();
  without_tape(p, [&] {
    with_number(p.dtype(), [&]<class Number>(Number) {
      run<SgdUpdateArgsOf<Number>>({p.data<Number>(), g.data<Number>(), v ? v.data<Number>() : nullptr, n, step},
                                   {&p, &g, &v}, {&p, 1}, {}, 4.0 * static_cast<double>(n));
    });
  });
}

void rmsprop_update(const Tensor& p, const Tensor& g, const Tensor& v, const RmsPropStep& step) {
  shape_rule(RmsPropUpdateArgsOf<float>::op, is_number(p) && alike(p, g) && alike(p, v),
             "expected tensors of one shape and type", {&p, &g, &v});
  const std::int64_t n = p.shape().elements();
  without_tape(p, [&] {
    with_number(p.dtype(), [&]<class Number>(Number) {
      run<RmsPropUpdateArgsOf<Number>>({p.data<Number>(), g.data<Number>(), v.data<Number>(), n, step}, {&p, &g, &v},
                                       {&p, 1}, {}, 8.0 * static_cast<double>(n));
    });
  });
}

void adam_update(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, const AdamStep& step) {
  shape_rule(AdamUpdateArgsOf<float>::op, is_number(p) && alike(p, g) && alike(p, m) && alike(p, v),
             "expected tensors of one shape and type", {&p, &g, &m, &v});
  const std::int64_t n = p.shape().elements();
  without_tape(p, [&] {
    with_number(p.dtype(), [&]<class Number>(Number) {
      run<AdamUpdateArgsOf<Number>>({p.data<Number>(), g.data<Number>(), m.data<Number>(), v.data<Number>(), n, step},
                                    {&p, &g, &m, &v}, {&p, 1}, {}, 12.0 * static_cast<double>(n));
    });
  });
}

}  // namespace toy
